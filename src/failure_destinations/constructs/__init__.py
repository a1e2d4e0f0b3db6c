"""The CDK constructs. Only this package and `testing` import `aws_cdk`."""
