"""What the template says is what the local cloud has, resource by resource; and it is not stale."""

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from infra.local.cloud import SENDING_DOMAIN, TEMPLATE, clients, template
from infra.local.stack import ROOT, Stack
from infra.local.template import Resource, Template
from loadtest.processes import run
from mailpipe import resources
from tests.integration.conftest import PREFIX

CDK_PYTHON = ROOT / ".venv-cdk" / "bin" / "python"
NO_NODE = "the CDK needs Node 20 or newer to make the template again; there is none here"

Client = Callable[..., Any]


@pytest.fixture(scope="module")
def made() -> Template:
    """The template as it is deployed to the local cloud."""
    return template(PREFIX)


def check_queue(client: Client, one: Resource) -> None:
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=one.name)["QueueUrl"]
    has = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    says = one.properties
    assert has["SqsManagedSseEnabled"] == "true"
    assert says["SqsManagedSseEnabled"] is True
    assert int(has["MessageRetentionPeriod"]) == says["MessageRetentionPeriod"]
    if "VisibilityTimeout" in says:
        assert int(has["VisibilityTimeout"]) == says["VisibilityTimeout"]
        redrive = json.loads(has["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"] == says["RedrivePolicy"]["deadLetterTargetArn"]
        assert int(redrive["maxReceiveCount"]) == says["RedrivePolicy"]["maxReceiveCount"]


def check_queue_policy(client: Client, one: Resource) -> None:
    sqs = client("sqs")
    for queue in one.properties["Queues"]:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        has = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
        assert json.loads(has["Policy"]) == one.properties["PolicyDocument"]


def check_topic(client: Client, one: Resource) -> None:
    arns = [topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]]
    assert [arn for arn in arns if arn.endswith(f":{one.name}")]


def check_topic_policy(client: Client, one: Resource) -> None:
    for topic in one.properties["Topics"]:
        has = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
        assert json.loads(has["Policy"]) == one.properties["PolicyDocument"]


def check_subscription(client: Client, one: Resource) -> None:
    sns, says = client("sns"), one.properties
    found = sns.list_subscriptions_by_topic(TopicArn=says["TopicArn"])["Subscriptions"]
    assert [(sub["Protocol"], sub["Endpoint"]) for sub in found] == [("sqs", says["Endpoint"])]
    arn = found[0]["SubscriptionArn"]
    has = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert has["RawMessageDelivery"] == "true"
    assert json.loads(has["RedrivePolicy"]) == says["RedrivePolicy"]


def check_table(client: Client, one: Resource) -> None:
    dynamodb, says = client("dynamodb"), one.properties
    has = dynamodb.describe_table(TableName=one.name)["Table"]
    assert has["KeySchema"] == says["KeySchema"]
    assert _by(has["AttributeDefinitions"], "AttributeName") == _by(
        says["AttributeDefinitions"], "AttributeName"
    )
    assert has["BillingModeSummary"]["BillingMode"] == says["BillingMode"]
    # ministack keeps no encryption of tables, so there is nothing to compare it with.
    assert says["SSESpecification"] == {"SSEEnabled": True}
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in has.get("GlobalSecondaryIndexes", [])
    ]
    assert _by(indexes, "IndexName") == _by(says.get("GlobalSecondaryIndexes", []), "IndexName")
    expiry = dynamodb.describe_time_to_live(TableName=one.name)["TimeToLiveDescription"]
    wanted = says.get("TimeToLiveSpecification")
    assert (expiry.get("AttributeName"), expiry["TimeToLiveStatus"]) == (
        ("ttl", "ENABLED") if wanted else (None, "DISABLED")
    )
    backups = dynamodb.describe_continuous_backups(TableName=one.name)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    recoverable = says["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert recovery["PointInTimeRecoveryStatus"] == ("ENABLED" if recoverable else "DISABLED")


def _by(several: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return {one[name]: one for one in several}


def check_bucket(client: Client, one: Resource) -> None:
    s3, says = client("s3"), one.properties
    rules = s3.get_bucket_lifecycle_configuration(Bucket=one.name)["Rules"]
    assert [(rule["Filter"]["Prefix"], rule["Expiration"]["Days"]) for rule in rules] == [
        (rule["Prefix"], rule["ExpirationInDays"])
        for rule in says["LifecycleConfiguration"]["Rules"]
    ]
    encryption = s3.get_bucket_encryption(Bucket=one.name)["ServerSideEncryptionConfiguration"]
    assert encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "AES256"
    }
    blocked = s3.get_public_access_block(Bucket=one.name)["PublicAccessBlockConfiguration"]
    assert blocked == says["PublicAccessBlockConfiguration"]


def check_bucket_policy(client: Client, one: Resource) -> None:
    has = client("s3").get_bucket_policy(Bucket=one.properties["Bucket"])["Policy"]
    assert json.loads(has) == one.properties["PolicyDocument"]


def check_secret(client: Client, one: Resource) -> None:
    name, wanted = one.properties["Name"], one.properties["GenerateSecretString"]
    value = client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    # ministack passes over ExcludePunctuation.
    assert len(value) == wanted["PasswordLength"]


def check_configuration_set(client: Client, one: Resource) -> None:
    has = client("sesv2").get_configuration_set(ConfigurationSetName=one.name)
    assert has["SuppressionOptions"] == one.properties["SuppressionOptions"]
    assert has["ReputationOptions"]["ReputationMetricsEnabled"] is True


def check_destination(client: Client, one: Resource) -> None:
    says = one.properties["EventDestination"]
    name = one.properties["ConfigurationSetName"]
    found = client("sesv2").get_configuration_set_event_destinations(ConfigurationSetName=name)
    has = _by(found["EventDestinations"], "Name")[says["Name"]]
    assert has["SnsDestination"]["TopicArn"] == says["SnsDestination"]["TopicARN"]
    assert has["Enabled"] is says["Enabled"]
    assert sorted(has["MatchingEventTypes"]) == sorted(
        "".join(f"_{letter}" if letter.isupper() else letter for letter in one).upper()
        for one in says["MatchingEventTypes"]
    )


def check_identity(client: Client, one: Resource) -> None:
    found = client("sesv2").list_email_identities()["EmailIdentities"]
    assert SENDING_DOMAIN in [identity["IdentityName"] for identity in found]
    assert one.properties["EmailIdentity"] == SENDING_DOMAIN


def check_managed_policy(client: Client, one: Resource) -> None:
    iam, name = client("iam"), one.properties["ManagedPolicyName"]
    found = iam.list_policies(Scope="Local")["Policies"]
    arn = next(policy["Arn"] for policy in found if policy["PolicyName"] == name)
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == one.properties["PolicyDocument"]


CHECKS = {
    "AWS::SQS::Queue": check_queue,
    "AWS::SQS::QueuePolicy": check_queue_policy,
    "AWS::SNS::Topic": check_topic,
    "AWS::SNS::TopicPolicy": check_topic_policy,
    "AWS::SNS::Subscription": check_subscription,
    "AWS::DynamoDB::Table": check_table,
    "AWS::S3::Bucket": check_bucket,
    "AWS::S3::BucketPolicy": check_bucket_policy,
    "AWS::SecretsManager::Secret": check_secret,
    "AWS::SES::ConfigurationSet": check_configuration_set,
    "AWS::SES::ConfigurationSetEventDestination": check_destination,
    "AWS::SES::EmailIdentity": check_identity,
    "AWS::IAM::ManagedPolicy": check_managed_policy,
}


def test_every_type_of_resource_is_checked(made: Template) -> None:
    assert made.types() == CHECKS.keys()


@pytest.mark.parametrize("kind", CHECKS)
def test_the_local_cloud_has_what_the_template_says(kind: str, made: Template, aws: Stack) -> None:
    found = made.resources(kind)
    assert found
    for one in found:
        CHECKS[kind](clients(aws.cloud_url), one)


def test_the_template_has_every_queue_topic_and_table(made: Template) -> None:
    def physical(*names: str) -> set[str]:
        return {resources.physical(PREFIX, name) for name in names}

    def names(kind: str) -> set[str]:
        return {one.name for one in made.resources(kind)}

    queues = physical(*resources.QUEUES, *map(resources.dead, resources.QUEUES))
    assert names("AWS::SQS::Queue") == queues
    assert names("AWS::SNS::Topic") == physical(*resources.TOPICS)
    assert names("AWS::DynamoDB::Table") == physical(*resources.TABLES)


def test_create_stack_takes_the_template_as_it_is() -> None:
    # AWS CloudFormation User Guide, "Understand CloudFormation quotas".
    assert len(TEMPLATE.read_bytes()) <= 51_200


async def test_the_committed_template_is_what_the_stack_makes() -> None:
    if shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail(NO_NODE)
        pytest.skip(NO_NODE)
    fresh = ROOT / "build" / "data.json"
    fresh.parent.mkdir(exist_ok=True)
    code, said = await run(
        [str(CDK_PYTHON), "-m", "infra.stacks", str(fresh)],
        JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION="18,20",
    )
    assert code == 0, said
    assert json.loads(fresh.read_text()) == json.loads(TEMPLATE.read_text()), "run `make synth`"
