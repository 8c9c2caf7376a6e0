"""An embedded Amazon Kinesis: a pure model, and an HTTP server that speaks to boto3, the AWS CLI and the Java SDK."""
