"""What is deployed in an account: stacks, channels and queues."""
