"""Makes the local cloud's resources from `mailpipe.resources`, and what a first mail needs.

Independent of our own AWS code: boto3 clients built by localstack-client.
"""

import hashlib
import json
from typing import Any

from localstack_client.session import Session

from mailpipe import resources

ACCOUNT = "000000000000"
REGION = "us-east-1"
LOCAL_KEY = "mp_local_key"
TENANT = "default"
IDENTITIES = ("example.com",)


def clients(endpoint: str) -> Any:
    """A function from a service's name to its boto3 client at this endpoint."""
    session = Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name=REGION,
        localstack_host=endpoint.removeprefix("http://"),
    )
    return session.client


def provision(endpoint: str, prefix: str) -> None:
    """Queues, topics, subscriptions, tables, configuration set, identities, the local key."""
    client = clients(endpoint)
    _queues(client("sqs"), prefix)
    _topics(client("sns"), client("sqs"), prefix)
    _tables(client("dynamodb"), prefix)
    _ses(client("sesv2"), prefix)
    _access(client("dynamodb"), prefix)


def add_endpoint(
    endpoint: str, prefix: str, *, name: str, url: str, secret: str, types: list[str]
) -> None:
    """A webhook endpoint of the default tenant."""
    clients(endpoint)("dynamodb").put_item(
        TableName=resources.physical(prefix, resources.WEBHOOK_ENDPOINTS),
        Item={
            "tenant": {"S": TENANT},
            "endpoint": {"S": name},
            "url": {"S": url},
            "secrets": {"L": [{"S": secret}]},
            "types": {"L": [{"S": one} for one in types]},
            "enabled": {"BOOL": True},
        },
    )


def _queue_arn(prefix: str, name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{resources.physical(prefix, name)}"


def _topic_arn(prefix: str, name: str) -> str:
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{resources.physical(prefix, name)}"


def _queues(sqs: Any, prefix: str) -> None:
    for name, queue in resources.QUEUES.items():
        dead = resources.dead(name)
        sqs.create_queue(
            QueueName=resources.physical(prefix, dead),
            Attributes={"MessageRetentionPeriod": str(resources.DEAD_RETENTION_S)},
        )
        redrive = {
            "deadLetterTargetArn": _queue_arn(prefix, dead),
            "maxReceiveCount": str(queue.max_receive_count),
        }
        sqs.create_queue(
            QueueName=resources.physical(prefix, name),
            Attributes={
                "VisibilityTimeout": str(queue.visibility_s),
                "MessageRetentionPeriod": str(queue.retention_s),
                "RedrivePolicy": json.dumps(redrive),
            },
        )


def _topics(sns: Any, sqs: Any, prefix: str) -> None:
    feeds = dict[str, list[str]]()
    for name, topic in resources.TOPICS.items():
        arn = sns.create_topic(Name=resources.physical(prefix, name))["TopicArn"]
        sns.subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=_queue_arn(prefix, topic.queue),
            Attributes={"RawMessageDelivery": "true"},
        )
        feeds.setdefault(topic.queue, []).append(arn)
    for queue, arns in feeds.items():
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": _queue_arn(prefix, queue),
            "Condition": {"ArnEquals": {"aws:SourceArn": arns}},
        }
        url = sqs.get_queue_url(QueueName=resources.physical(prefix, queue))["QueueUrl"]
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})


def _tables(dynamodb: Any, prefix: str) -> None:
    for name, table in resources.TABLES.items():
        types = {table.partition: "S"}
        if table.sort is not None:
            types[table.sort] = "S"
        for index in table.indexes.values():
            types |= {index.partition: "S", index.sort: index.sort_type}
        indexes = [
            {
                "IndexName": index_name,
                "KeySchema": _key_schema(index.partition, index.sort),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index_name, index in table.indexes.items()
        ]
        physical = resources.physical(prefix, name)
        dynamodb.create_table(
            TableName=physical,
            KeySchema=_key_schema(table.partition, table.sort),
            AttributeDefinitions=[
                {"AttributeName": attribute, "AttributeType": kind}
                for attribute, kind in types.items()
            ],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        )
        if table.ttl:
            dynamodb.update_time_to_live(
                TableName=physical,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"},
            )


def _key_schema(partition: str, sort: str | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    if sort is not None:
        schema.append({"AttributeName": sort, "KeyType": "RANGE"})
    return schema


def _ses(ses: Any, prefix: str) -> None:
    ses.create_configuration_set(ConfigurationSetName=resources.CONFIGURATION_SET)
    for name, topic in resources.TOPICS.items():
        ses.create_configuration_set_event_destination(
            ConfigurationSetName=resources.CONFIGURATION_SET,
            EventDestinationName=name,
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": list(topic.event_types),
                "SnsDestination": {"TopicArn": _topic_arn(prefix, name)},
            },
        )
    for identity in IDENTITIES:
        ses.create_email_identity(EmailIdentity=identity)


def _access(dynamodb: Any, prefix: str) -> None:
    table = resources.physical(prefix, resources.ACCESS)
    tenant = {"kind": {"S": "tenant"}, "id": {"S": TENANT}, "enabled": {"BOOL": True}}
    key = {
        "kind": {"S": "key"},
        "id": {"S": hashlib.sha256(LOCAL_KEY.encode()).hexdigest()},
        "tenant": {"S": TENANT},
        "scopes": {"L": [{"S": "send"}, {"S": "read"}]},
        "enabled": {"BOOL": True},
        "local": {"BOOL": True},
    }
    for item in (tenant, key):
        dynamodb.put_item(TableName=table, Item=item)
