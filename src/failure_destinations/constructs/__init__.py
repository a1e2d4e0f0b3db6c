"""What a CDK app defines: the only package that imports `aws_cdk`, apart from `testing`."""
