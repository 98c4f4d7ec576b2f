"""Queues, topics, tables, bucket, secret, configuration set and policies: one template for all.

The same template makes the resources of an AWS account and of the local cloud. Parameters:
`Prefix` before every name, `SendingDomain` the identity that mail is sent from ("" makes none).
"""

from typing import Any

from aws_cdk import CfnCondition, CfnOutput, CfnParameter, Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.stacks.policies import GRANTS, SES_SENDER, Grant
from mailpipe import resources

HASH_KEY_CHARS = 48
ABORT_UPLOADS_AFTER_DAYS = 1


class DataStack(Stack):
    """Everything that holds data, and who may touch it."""

    def __init__(self, scope: Construct, name: str, **given: Any) -> None:
        super().__init__(scope, name, **given)
        prefix = CfnParameter(
            self,
            "Prefix",
            default="mailpipe-",
            allowed_pattern="^([a-z0-9][a-z0-9-]{0,28})?$",  # a bucket's name has 63 characters
            description="Put before every name; MAILPIPE_PREFIX of the processes",
        )
        self._domain = CfnParameter(
            self,
            "SendingDomain",
            default="",
            description="Domain to send from, made an identity of SES; empty: you have one",
        )
        self._prefix = prefix.value_as_string
        self._queues = self._make_queues()
        self._tables = {name: self._table(name, one) for name, one in resources.TABLES.items()}
        self._configuration_set()
        self._identity()
        self._bodies = self._bucket()
        self._secret()
        for service, grants in GRANTS.items():
            self._policy(service, grants)

    def _named(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _output(self, name: str, value: str, description: str) -> None:
        CfnOutput(self, name, value=value, description=description)

    def _make_queues(self) -> dict[str, sqs.Queue]:
        queues = dict[str, sqs.Queue]()
        for name, queue in resources.QUEUES.items():
            dead = queues[resources.dead(name)] = self._queue(
                resources.dead(name), retention_period=Duration.seconds(resources.DEAD_RETENTION_S)
            )
            queues[name] = self._queue(
                name,
                visibility_timeout=Duration.seconds(queue.visibility_s),
                retention_period=Duration.seconds(queue.retention_s),
                dead_letter_queue=sqs.DeadLetterQueue(
                    queue=dead, max_receive_count=queue.max_receive_count
                ),
            )
        return queues

    def _queue(self, name: str, **given: Any) -> sqs.Queue:
        return sqs.Queue(
            self,
            _id("Queue", name),
            queue_name=self._named(name),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            **given,
        )

    def _table(self, name: str, table: resources.Table) -> dynamodb.Table:
        made = dynamodb.Table(
            self,
            _id("Table", name),
            table_name=self._named(name),
            partition_key=_attribute(table.partition),
            sort_key=None if table.sort is None else _attribute(table.sort),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            time_to_live_attribute="ttl" if table.ttl else None,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=table.recoverable
            ),
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        for index_name, index in table.indexes.items():
            made.add_global_secondary_index(
                index_name=index_name,
                partition_key=_attribute(index.partition),
                sort_key=_attribute(index.sort, index.sort_type),
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )
        return made

    def _configuration_set(self) -> None:
        made = ses.CfnConfigurationSet(
            self,
            "ConfigurationSet",
            name=resources.CONFIGURATION_SET,
            reputation_options=ses.CfnConfigurationSet.ReputationOptionsProperty(
                reputation_metrics_enabled=True
            ),
            # Ours is the list that counts; SES's own stays as the second net.
            suppression_options=ses.CfnConfigurationSet.SuppressionOptionsProperty(
                suppressed_reasons=["BOUNCE", "COMPLAINT"]
            ),
        )
        feeds = dict[str, list[str]]()
        for name, topic in resources.TOPICS.items():
            arn, policy = self._topic(name, topic)
            feeds.setdefault(topic.queue, []).append(arn)
            destination = ses.CfnConfigurationSetEventDestination(
                self,
                _id("Destination", name),
                configuration_set_name=made.ref,
                event_destination=ses.CfnConfigurationSetEventDestination.EventDestinationProperty(
                    name=name,
                    enabled=True,
                    matching_event_types=[_event_type(one) for one in topic.event_types],
                    sns_destination=ses.CfnConfigurationSetEventDestination.SnsDestinationProperty(
                        topic_arn=arn
                    ),
                ),
            )
            # SES publishes a test message when a destination is made.
            destination.node.add_dependency(policy)
        for queue, arns in feeds.items():
            self._let_topics_feed(self._queues[queue], arns)
            self._let_topics_feed(self._queues[resources.dead(queue)], arns)

    def _let_topics_feed(self, queue: sqs.Queue, topics: list[str]) -> None:
        """Also a dead-letter queue: SNS puts there what it cannot deliver."""
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": topics}},
            )
        )

    def _topic(self, name: str, topic: resources.Topic) -> tuple[str, Construct]:
        """A topic that SES may publish to and that feeds its queue; its ARN and its policy."""
        made = sns.Topic(self, _id("Topic", name), topic_name=self._named(name))
        publish = iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("ses.amazonaws.com")],
            resources=[made.topic_arn],
            conditions={
                "StringEquals": {
                    "AWS:SourceAccount": self.account,
                    "AWS:SourceArn": self._set_arn(),
                }
            },
        )
        policy = sns.TopicPolicy(self, _id("TopicPolicy", name), topics=[made])
        policy.document.add_statements(publish)
        # The construct would also add a policy to the queues, one statement for each topic.
        sns.CfnSubscription(
            self,
            _id("Subscription", name),
            topic_arn=made.topic_arn,
            protocol="sqs",
            endpoint=self._queues[topic.queue].queue_arn,
            raw_message_delivery=True,
            redrive_policy={
                "deadLetterTargetArn": self._queues[resources.dead(topic.queue)].queue_arn
            },
        )
        return made.topic_arn, policy

    def _identity(self) -> None:
        given = CfnCondition(
            self,
            "HasSendingDomain",
            expression=Fn.condition_not(Fn.condition_equals(self._domain.value_as_string, "")),
        )
        identity = ses.CfnEmailIdentity(
            self, "Identity", email_identity=self._domain.value_as_string
        )
        identity.cfn_options.condition = given
        identity.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)

    def _bucket(self) -> s3.Bucket:
        made = s3.Bucket(
            self,
            "Bodies",
            bucket_name=f"{self._named(resources.BODIES)}-{self.account}-{self.region}",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id=f"{prefix.rstrip('/')}-expire",
                    prefix=prefix,
                    expiration=Duration.days(days),
                    abort_incomplete_multipart_upload_after=Duration.days(ABORT_UPLOADS_AFTER_DAYS),
                )
                for prefix, days in resources.BODY_PREFIXES.items()
            ],
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        about = "MAILPIPE_BODIES_BUCKET: holds bodies too large for a queue message"
        self._output("BodiesBucket", made.bucket_name, about)
        return made

    def _secret(self) -> None:
        made = secretsmanager.Secret(
            self,
            "AddressHashKey",
            secret_name=self._named(resources.ADDRESS_HASH_KEY),
            description="Keys the suppression list; a new one would make the list unreadable",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=HASH_KEY_CHARS, exclude_punctuation=True
            ),
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self._output("AddressHashKeyArn", made.secret_arn, "Its value is MAILPIPE_ADDRESS_HASH_KEY")

    def _policy(self, service: str, grants: tuple[Grant, ...]) -> None:
        statements = [self._statement(grant) for grant in grants]
        if service == SES_SENDER:
            sending = [self._ses_arn("identity", "*"), self._set_arn()]
            # GetAccount knows no resource.
            statements += [
                iam.PolicyStatement(actions=["ses:SendEmail"], resources=sending),
                iam.PolicyStatement(actions=["ses:GetAccount"], resources=["*"]),
            ]
        made = iam.ManagedPolicy(
            self,
            f"Policy{service.capitalize()}",
            # Policies belong to the whole account, the rest to a region.
            managed_policy_name=f"{self._named(service)}-{self.region}",
            description=f"What mailpipe's {service} is seen to call, and nothing else",
            statements=statements,
        )
        self._output(
            f"PolicyArn{service.capitalize()}", made.managed_policy_arn, f"For the {service}'s role"
        )

    def _statement(self, grant: Grant) -> iam.PolicyStatement:
        arns = [self._queues[name].queue_arn for name in grant.queues]
        arns += [self._tables[name].table_arn for name in grant.tables]
        arns += [f"{self._tables[table].table_arn}/index/{name}" for table, name in grant.indexes]
        if grant.bodies:
            arns += [self._bodies.arn_for_objects(f"{one}*") for one in resources.BODY_PREFIXES]
        if grant.bucket:
            arns.append(self._bodies.bucket_arn)
        return iam.PolicyStatement(actions=[*grant.actions], resources=arns)

    def _set_arn(self) -> str:
        return self._ses_arn("configuration-set", resources.CONFIGURATION_SET)

    def _ses_arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:ses:{self.region}:{self.account}:{kind}/{name}"


def _id(kind: str, name: str) -> str:
    """`QueueMailBulk` of `mail-bulk`."""
    return kind + "".join(word[:1].upper() + word[1:] for word in name.split("-"))


def _attribute(name: str, kind: str = "S") -> dynamodb.Attribute:
    types = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER}
    return dynamodb.Attribute(name=name, type=types[kind])


def _event_type(name: str) -> str:
    """`renderingFailure` of `RENDERING_FAILURE`: CloudFormation spells them in its own way."""
    first, *rest = name.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)
