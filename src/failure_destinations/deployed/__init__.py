"""What is deployed in an account: stacks, channels, queues and handlers."""
