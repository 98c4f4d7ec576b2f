"""Makes the local cloud's resources from the template, and what a first mail needs.

The template is the one that makes the resources of an AWS account. Independent of our own AWS code:
boto3 clients built by localstack-client.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError
from localstack_client.session import Session

from infra.local.template import REGION, Template
from mailpipe import resources

TEMPLATE = Path(__file__).resolve().parents[1] / "templates" / "data.json"
LOCAL_KEY = "mp_local_key"
TENANT = "default"
SENDING_DOMAIN = "example.com"
DEPLOY_TIMEOUT_S = 60.0
LOOK_S = 0.05


class DeploymentFailed(Exception):
    """The cloud did not make the stack; the text says what of it failed."""


def clients(endpoint: str) -> Callable[..., Any]:
    """A function from a service's name to its boto3 client at the local cloud."""
    session = Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name=REGION,
        localstack_host=endpoint.removeprefix("http://"),
    )
    made: Callable[..., Any] = session.client
    return made


def ses_client(endpoint: str) -> Any:
    """A boto3 client at the simulator (localstack-client knows one endpoint for all services)."""
    return boto3.client(
        "sesv2",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def template(prefix: str, path: Path = TEMPLATE) -> Template:
    """The template as it is deployed here."""
    return Template(path.read_text(), Prefix=prefix, SendingDomain=SENDING_DOMAIN)


def deploy(endpoint: str, prefix: str, path: Path = TEMPLATE) -> None:
    """Everything of the template, and the local key. Raises DeploymentFailed."""
    client, made = clients(endpoint), template(prefix, path)
    if _create_stack(client("cloudformation"), prefix, made):
        _add_what_is_ignored(client, made)
    _access(client("dynamodb"), prefix)


def address_hash_key(endpoint: str, prefix: str) -> str:
    """The secret that the stack has made."""
    name = resources.physical(prefix, resources.ADDRESS_HASH_KEY)
    return str(clients(endpoint)("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def bodies_bucket(endpoint: str, prefix: str) -> str:
    """The bucket that the stack has made."""
    stack = clients(endpoint)("cloudformation").describe_stacks(StackName=f"{prefix}data")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Stacks"][0]["Outputs"]}
    return str(outputs["BodiesBucket"])


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


def mirror(cloud_url: str, ses_url: str) -> None:
    """Configuration sets, their destinations and identities, from the cloud into the simulator."""
    cloud, simulator = clients(cloud_url)("sesv2"), ses_client(ses_url)
    for one in _pages(cloud, "list_email_identities", "EmailIdentities"):
        simulator.create_email_identity(EmailIdentity=one["IdentityName"])
    for name in _pages(cloud, "list_configuration_sets", "ConfigurationSets"):
        simulator.create_configuration_set(ConfigurationSetName=name)
        found = cloud.get_configuration_set_event_destinations(ConfigurationSetName=name)
        # The cloud leaves the member out when a set has no destination.
        for destination in found.get("EventDestinations", []):
            simulator.create_configuration_set_event_destination(
                ConfigurationSetName=name,
                EventDestinationName=destination.pop("Name"),
                EventDestination=destination,
            )


def _pages(client: Any, operation: str, member: str) -> list[Any]:
    found, more = list[Any](), dict[str, str]()
    while True:
        page = getattr(client, operation)(**more)
        found += page.get(member, [])
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def _create_stack(cloudformation: Any, prefix: str, made: Template) -> bool:
    """Whether it is new: a cloud that was here before may have it already."""
    name = f"{prefix}data"
    try:
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=made.text,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in made.parameters.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except cloudformation.exceptions.AlreadyExistsException:
        _check_existing(cloudformation, name, made)
        return False
    except ClientError as error:
        raise DeploymentFailed(f"the cloud refuses the template: {error}") from None
    waiting = {"Delay": LOOK_S, "MaxAttempts": round(DEPLOY_TIMEOUT_S / LOOK_S)}
    try:
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig=waiting
        )
    except WaiterError as error:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [
            f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', 'no reason given')}"
            for one in events
            if one["ResourceStatus"].endswith("_FAILED")
        ]
        said = "; ".join(reasons) or str(error)
        raise DeploymentFailed(f"the stack {name} was not made: {said}") from None
    return True


def _check_existing(cloudformation: Any, name: str, made: Template) -> None:
    """A stack that was there before must be whole, and of this template."""
    status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    has = cloudformation.get_template(StackName=name)["TemplateBody"]
    same = (json.loads(has) if isinstance(has, str) else has) == json.loads(made.text)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE") or not same:
        raise DeploymentFailed(
            f"the cloud has a stack {name} already, in state {status}"
            f"{'' if same else ' and of another template'}: delete it, or use another cloud"
        )


def _add_what_is_ignored(client: Callable[..., Any], made: Template) -> None:
    """What the template says and ministack's CloudFormation passes over."""
    dynamodb, s3 = client("dynamodb"), client("s3")
    for table in made.resources("AWS::DynamoDB::Table"):
        if expiry := table.properties.get("TimeToLiveSpecification"):
            dynamodb.update_time_to_live(TableName=table.name, TimeToLiveSpecification=expiry)
        dynamodb.update_continuous_backups(
            TableName=table.name,
            PointInTimeRecoverySpecification=table.properties["PointInTimeRecoverySpecification"],
        )
    for bucket in made.resources("AWS::S3::Bucket"):
        rules = [
            {
                "ID": rule["Id"],
                "Filter": {"Prefix": rule["Prefix"]},
                "Status": rule["Status"],
                "Expiration": {"Days": rule["ExpirationInDays"]},
                "AbortIncompleteMultipartUpload": rule["AbortIncompleteMultipartUpload"],
            }
            for rule in bucket.properties["LifecycleConfiguration"]["Rules"]
        ]
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration={"Rules": rules}
        )


def _access(dynamodb: Any, prefix: str) -> None:
    table = resources.physical(prefix, resources.ACCESS)
    tenant = {"kind": {"S": "tenant"}, "id": {"S": TENANT}, "enabled": {"BOOL": True}}
    key = {
        "kind": {"S": "key"},
        "id": {"S": hashlib.sha256(LOCAL_KEY.encode()).hexdigest()},
        "tenant": {"S": TENANT},
        "scopes": {"L": [{"S": "send"}, {"S": "read"}, {"S": "admin"}]},
        "enabled": {"BOOL": True},
        "local": {"BOOL": True},
    }
    for item in (tenant, key):
        dynamodb.put_item(TableName=table, Item=item)
