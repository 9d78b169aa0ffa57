"""Sets up a topic and an event bus, each with a queue behind it, or reads what has arrived there; or sets up a key."""

import json
import sys

import boto3

action, url = sys.argv[1:3]
options = dict(
    endpoint_url=url, region_name="eu-central-1", aws_access_key_id="setup", aws_secret_access_key="setup"
)
sqs = boto3.client("sqs", **options)

if action == "make":
    sns = boto3.client("sns", **options)
    events = boto3.client("events", **options)
    made = {}
    for name in ["topic", "topic.fifo", "bus"]:
        fifo = name.endswith(".fifo")
        queue = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if name == "bus":
            bus = events.create_event_bus(Name="ccag")["EventBusArn"]
            pattern = json.dumps({"source": ["ccag"]})
            events.put_rule(Name="all", EventBusName="ccag", EventPattern=pattern)
            events.put_targets(Rule="all", EventBusName="ccag", Targets=[{"Id": "queue", "Arn": arn}])
            made[name] = bus
        else:
            topic = sns.create_topic(Name=name, Attributes={"FifoTopic": "true"} if fifo else {})["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
            made[name] = topic
    print(json.dumps(made))
elif action == "key":
    kms = boto3.client("kms", **options)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/ccag", TargetKeyId=key)
    print(json.dumps(key))
else:
    queue = sqs.get_queue_url(QueueName=sys.argv[3])["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    bodies = []
    for message in answer.get("Messages", []):
        bodies.append(json.loads(message["Body"]))
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    print(json.dumps(bodies))
