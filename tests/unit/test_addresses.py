"""Addresses: what SES would take, and nothing that could become a second header."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.addresses import (
    BadAddress,
    domain_of,
    normalised,
    parse,
    suppression_hash,
)
from mailpipe.texts import mixes_scripts, unsafe_in_body, unsafe_in_header


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("a@example.com", "", "a@example.com"),
        ("Shop <a@example.com>", "Shop", "a@example.com"),
        ('"Doe, Jane" <a@example.com>', "Doe, Jane", "a@example.com"),
        ("Müller, Jörg <a@example.com>", "Müller, Jörg", "a@example.com"),
        ('"say \\"hi\\"" <a@example.com>', 'say "hi"', "a@example.com"),
        ("User@BÜCHER.example", "", "User@xn--bcher-kva.example"),
    ],
)
def test_names_and_domains_are_read(text: str, name: str, spec: str) -> None:
    address = parse(text)
    assert (address.name, address.spec) == (name, spec)


def test_a_name_with_a_comma_is_quoted_and_one_outside_ascii_encoded() -> None:
    assert parse("Doe, Jane <a@example.com>").header == '"Doe, Jane" <a@example.com>'
    assert parse("Jörg <a@example.com>").header == "=?utf-8?b?SsO2cmc=?= <a@example.com>"


@pytest.mark.parametrize(
    "text",
    [
        *("", "a@b", "@x.com", "a@@x.com", "a b@x.com", "a@x..com", ".a@x.com"),
        *("a" * 65 + "@x.com", "a@" + "x" * 250 + ".com", '"a b"@x.com', "a@[192.0.2.1]"),
        *("<a@x.com", "a@x.com>", "a@x.com, b@x.com", "x <a@x.com> y"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress) as refused:
        parse(text)
    assert refused.value.constraint == "address_syntax"


def test_a_local_part_outside_ascii_has_its_own_code() -> None:
    with pytest.raises(BadAddress) as refused:
        parse("用户@example.com")
    assert refused.value.constraint == "local_part_not_ascii"


@pytest.mark.parametrize("breaker", "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x00\u202e")
def test_line_breaks_and_overrides_never_pass(breaker: str) -> None:
    with pytest.raises(BadAddress) as refused:
        parse(f"x{breaker}Bcc: v@y.z <a@example.com>")
    assert refused.value.constraint == "control_characters"


@pytest.mark.parametrize(
    "text",
    [
        "B\u00dcCHER.example",
        "b\u00fccher.example",
        "bu\u0308cher.example",
        "XN--BCHER-KVA.example",
        "b\uff55\u0308cher\u3002example",
    ],
)
def test_a_domain_has_one_form_however_it_is_written(text: str) -> None:
    assert domain_of(text) == "xn--bcher-kva.example"
    assert normalised(f"a@{text}") == "a@xn--bcher-kva.example"


def test_a_sharp_s_is_no_double_s_in_a_domain() -> None:
    """IDNA 2008, not the transitional mapping of 2003: those are two domains."""
    assert domain_of("stra\u00dfe.example") == "xn--strae-oqa.example"
    assert domain_of("strasse.example") == "strasse.example"


@pytest.mark.parametrize(
    "text", ["", "x", "a@b.example", "b example", "\ud800.example", ".example"]
)
def test_what_can_be_no_domain_has_no_form(text: str) -> None:
    assert domain_of(text) is None


@pytest.mark.parametrize(
    ("word", "mixed"),
    [
        ("paypal", False),
        ("p\u0430ypal", True),
        ("g\u03bfogle", True),
        ("\u043f\u0440\u0438\u043c\u0435\u0440", False),
        ("\u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2", False),
        ("\u65e5\u672c\u8a9eABC", False),
        ("M\u00fcller\U0001f337", False),
    ],
)
def test_letters_that_look_alike_are_not_mixed_within_a_word(word: str, mixed: bool) -> None:
    assert mixes_scripts(word) is mixed


def test_a_name_may_have_words_of_several_scripts() -> None:
    assert parse("\u041c\u0430\u0433\u0430\u0437\u0438\u043d Shop <a@example.com>").name
    with pytest.raises(BadAddress) as refused:
        parse("P\u0430ypal <a@example.com>")
    assert refused.value.constraint == "mixed_scripts"


def test_half_of_a_pair_and_nul_are_told_apart() -> None:
    assert unsafe_in_header("a\ud800") == unsafe_in_body("a\ud800") == "unicode"
    assert unsafe_in_header("a\x00") == unsafe_in_body("a\x00") == "control_characters"
    assert unsafe_in_body("a\r\n\x1b\u2028\U0001f337") is None


@given(st.characters())
def test_what_splits_lines_is_never_safe_in_a_header(character: str) -> None:
    if len(f"a{character}b".splitlines()) > 1:
        assert unsafe_in_header(f"a{character}b") == "control_characters"


def test_controls_and_what_turns_texts_around_are_not_printable() -> None:
    """In no version of Unicode: what is printable is not looked at any further."""
    unsafe = [*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
    assert {unsafe_in_header(f"a{chr(one)}") for one in unsafe} == {"control_characters"}
    assert {unsafe_in_header(chr(one)) for one in range(0xD800, 0xE000)} == {"unicode"}


def test_an_encoded_word_is_refused() -> None:
    assert unsafe_in_header("=?utf-8?q?Hi=0D=0ABcc:_v@y.z?=") == "encoded_word"


@given(st.text(max_size=60))
def test_a_parsed_address_composes_to_one_safe_line(text: str) -> None:
    try:
        header = parse(text).header
    except BadAddress:
        return
    assert header.isascii()
    assert len(header.splitlines()) == 1


def test_suppression_meets_whatever_the_case_and_form() -> None:
    key = b"k" * 32
    one, other = "Jörg <User@BÜCHER.example>", "user@xn--bcher-kva.example"
    assert normalised(one) == normalised(other)
    assert suppression_hash(key, one) == suppression_hash(key, other)
    assert suppression_hash(b"x" * 32, one) != suppression_hash(key, one)


PLAIN = st.text("abcXYZ019._+-", min_size=1, max_size=70)
DOMAINS = st.sampled_from(
    [
        "example.com",
        "EXAMPLE.com",
        "b\u00fccher.example",
        "x",
        "a..b",
        "-a.com",
        "localhost",
        "a.b-",
        "xn--a",
    ]
) | st.text("ab.-19", min_size=1, max_size=80).map(lambda text: f"{text}.com")


@given(PLAIN, DOMAINS)
def test_a_plain_local_part_is_judged_as_the_library_would(local: str, domain: str) -> None:
    """The library is asked for the domain alone; the verdict on the whole must be the same."""
    spec = f"{local}@{domain}"
    try:
        found = validate_email(spec, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        with pytest.raises(BadAddress):
            parse(spec)
    else:
        assert parse(spec).spec == f"{found.local_part}@{found.ascii_domain.lower()}"


@given(
    st.from_regex(r"\A[A-Za-z0-9_+.-]{1,70}@[A-Za-z0-9.-]{1,40}\Z")
    | st.from_regex(r"\A[a-z.]{1,4}@[a-z.-]{0,8}\.(com|example)\Z")
    | st.text("a.@-+_B9", max_size=12)
)
def test_a_bare_address_is_judged_as_one_in_angle_brackets(text: str) -> None:
    assert _fate(text) == _fate(f"<{text}>")


def _fate(text: str) -> object:
    try:
        return parse(text)
    except BadAddress as error:
        return error.constraint, str(error)
