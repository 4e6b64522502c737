"""`inspect` calls a payload that is no KHQR what it is, and gives no advice that would make a KHQR of it."""

import json

import pytest

from bakong_khqr import emv, inspect, verify
from bakong_khqr.diagnosis import InspectedObject
from bakong_khqr.diagnosis._advice import ADVICE


def tlv(identifier: str, value: str) -> str:
    return f"{identifier}{len(value):02}{value}"


def seal(text: str) -> str:
    return text + "6304" + emv.crc16(text + "6304")


def code(country: str, currency: str, account: str, tail: str = "") -> str:
    return seal(
        f"000201010211{account}5204599953{len(currency):02}{currency}58{len(country):02}{country}5904Shop6004City{tail}"
    )


PROMPTPAY = tlv("29", tlv("00", "A000000677010111") + tlv("01", "0066000000000"))
LAO = tlv("38", tlv("00", "A005266284662577") + tlv("01", "27710418"))
OUR_ACCOUNT = tlv("29", tlv("00", "sokha@aclb"))
ABROAD = [
    pytest.param(code("LA", "418", LAO), "An EMVCo code of Laos (LA, 418 kip)", id="Laos"),
    pytest.param(code("TH", "764", PROMPTPAY), "An EMVCo code of Thailand (TH, 764 baht)", id="PromptPay"),
    pytest.param(
        code("CN", "156", tlv("30", tlv("00", "A000000333010108") + tlv("01", "00000001"))),
        "An EMVCo code of China (CN, 156 yuan)",
        id="China",
    ),
    pytest.param(
        code("BR", "986", tlv("26", tlv("00", "br.gov.bcb.pix") + tlv("01", "+5561999999999"))),
        "An EMVCo code of Brazil (BR, 986 real)",
        id="PIX",
    ),
    pytest.param(code("XX", "999", LAO), "An EMVCo code of a country that isn't known here (XX, 999)", id="unknown"),
]


def walk(data_objects: tuple[InspectedObject, ...]) -> list[InspectedObject]:
    return [inner for one in data_objects for inner in (one, *walk(one.data_objects))]


@pytest.mark.parametrize(("payload", "what"), ABROAD)
def test_another_countrys_code_is_called_so_once_with_emvcos_names_and_no_advice_for_khqr(
    payload: str, what: str
) -> None:
    inspection = inspect(payload)
    text = str(inspection)
    assert text.startswith(f"{what}, not a KHQR: Bakong can't pay it.")
    assert text.count("Bakong") == 1
    assert "wrong:" not in text
    assert "KHQR" not in text.partition("\n")[2]
    names = {emv.describe(*["29", "00"]).name, "Acquiring Bank", "Merchant ID", "Creation Timestamp"}  # type: ignore[union-attr]
    assert not names & {one.name for one in walk(inspection.data_objects)}
    found = json.loads(json.dumps(inspection.to_dict()))
    assert found["not_khqr"] == inspection.not_khqr
    assert found["valid"] is False
    assert [one["code"] for one in found["problems"]] == [int(one.code) for one in verify(payload).problems]
    assert {one["change"] for one in found["problems"]} == {None}


@pytest.mark.parametrize(("payload", "what"), ABROAD)
def test_a_fault_that_it_has_in_every_country_is_told(payload: str, what: str) -> None:
    text = str(inspect(payload[:-4] + "0000"))
    assert text.startswith(what)
    assert text.count("wrong:") == 1
    assert ADVICE[verify(payload[:-4] + "0000").problems[0].code].change in text


def test_an_account_template_without_a_bakong_account_has_emvcos_names_and_keeps_its_advice() -> None:
    payload = code("KH", "116", tlv("30", tlv("00", "A000000333") + tlv("01", "1") + tlv("02", "Bank")))
    text = str(inspect(payload))
    assert text.startswith("An EMVCo code of Cambodia (KH, 116 riel), not a KHQR")
    assert "Globally Unique Identifier" in text
    assert "Write the Bakong account ID as name@bank" in text


def test_a_khqr_with_a_wrong_country_is_a_khqr() -> None:
    inspection = inspect(code("TH", "116", OUR_ACCOUNT))
    assert inspection.not_khqr == ""
    assert "Bakong Account ID" in str(inspection)
    assert "5802KH" in str(inspection)


@pytest.mark.parametrize("text", ["", "hello", "0002016304ABCD", "5802"])
def test_what_cannot_be_told_is_not_called_anything(text: str) -> None:
    assert inspect(text).not_khqr == ""


def test_a_country_cannot_write_to_a_terminal() -> None:
    text = str(inspect(code("\x1b[2J", "1\x07", LAO)))
    assert [one for one in text if not one.isprintable() and one != "\n"] == []


@pytest.mark.parametrize("first", ["khqr@aclb", "39CA026411FDA"])
def test_a_banks_own_99_is_an_emvco_template_and_no_timestamp(first: str) -> None:
    payload = code("KH", "116", OUR_ACCOUNT, tlv("99", tlv("00", first) + tlv("03", "QRPAYME")))
    inspection = inspect(payload)
    assert inspection.is_valid
    assert inspection.not_khqr == ""
    (template,) = [one for one in inspection.data_objects if one.id == "99"]
    assert template.name == "Unreserved Template"
    assert [one.name for one in template.data_objects] == ["Globally Unique Identifier", "Context specific"]


def test_a_banks_own_template_stays_a_template_and_is_named_by_its_identifier() -> None:
    inspection = inspect(code("KH", "116", OUR_ACCOUNT + tlv("39", tlv("00", "2CCY"))))
    (template,) = [one for one in inspection.data_objects if one.id == "39"]
    assert [one.value for one in template.data_objects] == ["2CCY"]
    assert "data object 39 (2CCY) belongs to a bank or to another scheme" in str(inspection)


def test_unionpays_own_objects_are_no_bank_rail() -> None:
    inspection = inspect(code("KH", "116", tlv("15", "123") + tlv("16", "123") + OUR_ACCOUNT))
    assert "bank_rail" not in {one.name for one in inspection.notices}


def test_emvcos_name_alone_can_be_asked_for() -> None:
    tag = emv.describe("29", "00", khqr=False)
    assert tag is not None
    assert (tag.name, tag.source) == ("Globally Unique Identifier", "EMVCo")
