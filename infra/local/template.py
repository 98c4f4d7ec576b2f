"""The template as values: what it defines, its names and ARNs filled in. Pure.

Only as much of CloudFormation as `infra/templates/data.json` uses; anything else raises.
"""

import json
from typing import Any, NamedTuple

ACCOUNT = "000000000000"
REGION = "us-east-1"

_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
_NAMES = {
    "AWS::SQS::Queue": ("QueueName", f"arn:aws:sqs:{REGION}:{ACCOUNT}:"),
    "AWS::SNS::Topic": ("TopicName", f"arn:aws:sns:{REGION}:{ACCOUNT}:"),
    "AWS::DynamoDB::Table": ("TableName", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"),
    "AWS::S3::Bucket": ("BucketName", "arn:aws:s3:::"),
    "AWS::SES::ConfigurationSet": ("Name", ""),
}


class Resource(NamedTuple):
    """One resource of the template."""

    type: str
    name: str
    properties: dict[str, Any]


class Template:
    """The template with its parameters."""

    def __init__(self, text: str, **parameters: str) -> None:
        self.text = text
        self._template = json.loads(text)
        defaults = self._template["Parameters"]
        self.parameters = {
            name: parameters.get(name, one["Default"]) for name, one in defaults.items()
        }

    def resources(self, kind: str) -> list[Resource]:
        """All resources of a type, with every reference filled in."""
        return [
            Resource(kind, self._name(one), self._filled(one["Properties"]))
            for one in self._template["Resources"].values()
            if one["Type"] == kind
        ]

    def types(self) -> set[str]:
        """The types that occur."""
        return {one["Type"] for one in self._template["Resources"].values()}

    def _name(self, resource: dict[str, Any]) -> str:
        member, _ = _NAMES.get(resource["Type"], (None, ""))
        return "" if member is None else str(self._filled(resource["Properties"][member]))

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if not isinstance(value, dict):
            return value
        match value:
            case {"Ref": name}:
                return self._reference(name)
            case {"Fn::GetAtt": [name, "Arn"]}:
                return self._arn(name)
            case {"Fn::Join": [glue, parts]}:
                return str(glue).join(self._filled(parts))
        if any(name.startswith("Fn::") for name in value):
            raise ValueError(f"this function is not done here: {value}")
        return {name: self._filled(one) for name, one in value.items()}

    def _reference(self, name: str) -> str:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.parameters:
            return str(self.parameters[name])
        resource = self._template["Resources"][name]
        # A topic's reference is its ARN (AWS CloudFormation User Guide, "AWS::SNS::Topic").
        return self._arn(name) if resource["Type"] == "AWS::SNS::Topic" else self._name(resource)

    def _arn(self, name: str) -> str:
        resource = self._template["Resources"][name]
        return _NAMES[resource["Type"]][1] + self._name(resource)
