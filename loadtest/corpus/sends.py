"""SendEmail: what is accepted, what is refused for itself, what for the account's state."""

from loadtest.corpus.row import (
    API,
    COMMON,
    ERRORS,
    GUIDE,
    LIMITS,
    MAIL,
    QUOTAS,
    RAW,
    attached,
    mail,
    refused,
    send,
    simple,
    to,
)

SENT = "200 MessageId"
VERIFIED = "Email address is not verified. The following identities failed the check in region"

SENDING = [
    send(f"{API}, SendEmail", MAIL, SENT, cli=True),
    send(f"{API}, RawMessage", {"Content": {"Raw": {"Data": RAW}}}, SENT, cli=True),
    send(f"{API}, Attachment", attached(), SENT),
    send(f"{API}, Attachment", attached(ContentDisposition="INLINE", ContentId="logo"), SENT),
    send(f"{API}, SendEmail", mail(ReplyToAddresses=["help@example.com"]), SENT),
    send(f"{API}, MessageTag", mail(EmailTags=[{"Name": "n" * 256, "Value": "v" * 256}]), SENT),
    send(
        f"{API}, Message",
        simple(Headers=[{"Name": f"X-{number}", "Value": "v"} for number in range(15)]),
        SENT,
    ),
    send(f"{API}, Destination", to("=?UTF-8?B?SsO8cmdlbg==?= <j@example.net>"), SENT),
    send(QUOTAS, to(*(f"a{number}@example.net" for number in range(50))), SENT),
    send(
        f"{GUIDE}, Creating and verifying identities",
        mail(FromEmailAddress="a@mail.example.com"),
        SENT,
    ),
]
BAD = [
    refused(QUOTAS, to(*(f"a{number}@example.net" for number in range(51))), cli=True),
    refused(f"{API}, Destination", mail(Destination={})),
    refused(f"{API}, Destination", to("jürgen@example.net")),
    refused(f"{API}, Destination", to("a@bücher.example")),
    refused(f"{API}, Destination", to("nobody")),
    refused(f"{API}, Destination", to("a b@example.net")),
    refused(f"{API}, Destination", to("a@example.net, b@example.net")),
    refused(f"{API}, SendEmail", mail(FromEmailAddress="Jürgen <j@example.com>")),
    refused(f"{API}, SendEmail", mail(ReplyToAddresses=["nobody"])),
    refused(f"{API}, EmailContent", mail(Content={})),
    refused(f"{API}, Content", simple(Subject={"Data": "Grüße"})),
    refused(f"{API}, Content", simple(Subject={"Data": "a\nBcc: b@example.net"})),
    refused(f"{API}, Body", simple(Body={})),
    refused(
        f"{API}, Message", simple(Headers=[{"Name": f"X-{n}", "Value": "v"} for n in range(16)])
    ),
    refused(f"{API}, MessageHeader", simple(Headers=[{"Name": "X A", "Value": "v"}])),
    refused(f"{API}, MessageHeader", simple(Headers=[{"Name": "X", "Value": "ü"}])),
    refused(f"{API}, MessageHeader", simple(Headers=[{"Name": "XY", "Value": "v" * 995}])),
    refused(f"{GUIDE}, Amazon SES header fields", simple(Headers=[{"Name": "To", "Value": "v"}])),
    refused(f"{API}, MessageTag", mail(EmailTags=[{"Name": "a.b", "Value": "v"}])),
    refused(f"{API}, MessageTag", mail(EmailTags=[{"Name": "a", "Value": "x@y"}])),
    refused(f"{API}, MessageTag", mail(EmailTags=[{"Name": "a", "Value": "v" * 257}])),
    refused(f"{API}, Attachment", attached(FileName="x" * 256)),
    refused(f"{GUIDE}, Amazon SES unsupported attachment types", attached(FileName="run.exe")),
    refused(f"{API}, RawMessage", mail(Content={"Raw": {"Data": RAW + b"x" * 1001}})),
    refused(f"{API}, RawMessage", mail(Content={"Raw": {"Data": b"hello\r\n"}})),
    refused(
        f"{GUIDE}, Amazon SES header fields",
        mail(Content={"Raw": {"Data": b"To: a@b.org\r\n" + RAW}}),
    ),
    refused(QUOTAS, simple(Body={"Text": {"Data": "x" * (40 * 1024 * 1024 + 1)}})),
]
ACCOUNT = [
    send(
        ERRORS,
        mail(FromEmailAddress="a@example.org"),
        f"400 MessageRejected: {VERIFIED} US-EAST-1: a@example.org",
        cli=True,
    ),
    send(
        ERRORS,
        MAIL,
        f"400 MessageRejected: {VERIFIED} US-EAST-1: shop@example.com",
        switches={"revokedIdentities": ["example.com"]},
    ),
    send(
        f"{GUIDE}, Request production access",
        to("a@example.net"),
        f"400 MessageRejected: {VERIFIED} US-EAST-1: a@example.net",
        switches={"productionAccess": False},
    ),
    send(
        f"{API}, SendEmail",
        mail(ConfigurationSetName="none"),
        "404 NotFoundException: Configuration set <none> does not exist.",
        cli=True,
    ),
    send(
        f"{API}, SendEmail",
        MAIL,
        "404 NotFoundException: Configuration set <enterprise-email> does not exist.",
        switches={"missingConfigurationSets": ["enterprise-email"]},
    ),
    send(
        f"{API}, SendEmail",
        MAIL,
        "400 AccountSuspendedException",
        switches={"suspended": True},
    ),
    send(
        f"{API}, SendEmail", MAIL, "400 SendingPausedException", switches={"sendingEnabled": False}
    ),
    send(
        f"{API}, SendEmail",
        MAIL,
        "400 MailFromDomainNotVerifiedException",
        switches={"mailFromNotVerified": ["example.com"]},
    ),
    send(
        LIMITS,
        MAIL,
        "429 TooManyRequestsException: Maximum sending rate exceeded.",
        switches={"maxSendRate": 0},
        cli=True,
    ),
    send(
        LIMITS,
        to("a@example.net"),
        "400 LimitExceededException: Daily message quota exceeded.",
        switches={"max24HourSend": 0},
    ),
    send(
        f"{GUIDE}, Using the mailbox simulator",
        MAIL,
        SENT,
        switches={"max24HourSend": 0},
    ),
    send(COMMON, MAIL, "403 AccessDeniedException", switches={"accessDenied": ["SendEmail"]}),
    send(COMMON, MAIL, "500 InternalFailure", faults=[{"kind": "error_before_accept"}]),
    send(
        COMMON,
        MAIL,
        "503 ServiceUnavailable",
        faults=[{"kind": "error_before_accept", "status": 503}],
    ),
]
