"""Small files in the shapes that the ready mappings are of, made from seeds: no real data."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

DAY = 86_400.0


@dataclass(frozen=True)
class Made:
    """One charge, and what becomes of it."""

    number: int
    seconds: int
    cents: int
    card: int
    merchant: int
    is_fraud: bool
    is_declined: bool

    @property
    def major(self) -> str:
        return f"{self.cents // 100}.{self.cents % 100:02d}"

    def at(self, start: datetime) -> datetime:
        return start + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Shape:
    """A file that a mapping is of, and what comes of it."""

    mapping: str
    paths: list[Path]
    charges: int
    frauds: int
    outcomes: int = 0


def made(seed: int, count: int = 400, days: float = 30.0) -> list[Made]:
    rng = random.Random(seed)
    times = sorted(rng.randrange(int(days * DAY)) for _ in range(count))
    return [
        Made(
            number,
            time,
            rng.randint(1, 300_000),
            rng.randrange(40),
            rng.randrange(12),
            rng.random() < 0.06,
            rng.random() < 0.05,
        )
        for number, time in enumerate(times)
    ]


def csv_text(rows: Iterable[Sequence[object]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def names(head: str) -> list[str]:
    return head.split(",")


def _written(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    path.write_text(csv_text(rows), encoding="utf-8")
    return path


def _frauds(charges: Iterable[Made]) -> int:
    return sum(charge.is_fraud for charge in charges)


def sparkov(folder: Path, seed: int) -> Shape:
    rng = random.Random(seed + 1)
    charges = made(seed)
    start = datetime(2019, 1, 1, tzinfo=UTC)
    head = names(
        ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,"
        "zip,lat,long,city_pop,job,dob,trans_num,unix_time,merch_lat,merch_long,is_fraud"
    )
    categories = ["grocery_pos", "shopping_net", "gas_transport", "travel"]
    rows = [
        [
            c.number, c.at(start).strftime("%Y-%m-%d %H:%M:%S"), 4242424242424242 + 4000 * c.card,
            f"fraud_Shop, {c.merchant} and Sons", rng.choice(categories), c.major, "Ann", "Doe",
            "F",
            "1 Main St", "Springfield", "IL", "01234", 40.1, -88.2, 5000, "Engineer, civil",
            "1980-01-01", f"{rng.getrandbits(128):032x}", 1325376000 + c.seconds, 40.2, -88.1,
            int(c.is_fraud),
        ]
        for c in charges
    ]  # fmt: skip
    path = _written(folder / "fraudTrain.csv", [head, *rows])
    return Shape("sparkov", [path], len(charges), _frauds(charges))


def fraud_detection_handbook(folder: Path, seed: int) -> Shape:
    charges = made(seed)
    start = datetime(2018, 4, 1, tzinfo=UTC)
    head = names(
        "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,"
        "TX_FRAUD,TX_FRAUD_SCENARIO"
    )
    rows = [
        [
            c.number, c.at(start).strftime("%Y-%m-%d %H:%M:%S"), c.card, c.merchant, c.major,
            c.seconds, c.seconds // 86_400, int(c.is_fraud), 2 * c.is_fraud,
        ]
        for c in charges
    ]  # fmt: skip
    path = _written(folder / "handbook.csv", [head, *rows])
    return Shape("fraud_detection_handbook", [path], len(charges), _frauds(charges))


def paysim(folder: Path, seed: int) -> Shape:
    rng = random.Random(seed + 1)
    charges = made(seed)
    head = names(
        "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,"
        "newbalanceDest,isFraud,isFlaggedFraud"
    )
    types = ["PAYMENT", "TRANSFER", "CASH_OUT", "CASH_IN", "DEBIT"]
    rows = [
        [
            1 + c.seconds // 3600, rng.choice(types), c.major, f"C{c.card}", "170136.0",
            "160296.36",
            f"M{c.merchant}", "0.0", "0.0", int(c.is_fraud), 0,
        ]
        for c in charges
    ]  # fmt: skip
    path = _written(folder / "paysim.csv", [head, *rows])
    return Shape("paysim", [path], len(charges), _frauds(charges))


def ieee_cis(folder: Path, seed: int) -> Shape:
    rng = random.Random(seed + 1)
    charges = made(seed)
    head = names(
        "TransactionID,isFraud,TransactionDT,TransactionAmt,ProductCD,card1,card2,card3,card4,card5,"
        "card6,addr1,addr2,dist1,dist2,P_emaildomain,R_emaildomain,C1,C2,D1,D2,M1,M2,V1,V2"
    )
    rows = [
        [
            2_987_000 + c.number, int(c.is_fraud), 86_400 + c.seconds, f"{c.major}5",
            "WCRHS"[c.merchant % 5], 13_926 + c.card, "" if c.card % 7 == 0 else "361.0", "150.0",
            "visa", "226.0", rng.choice(["debit", "credit", "debit or credit"]), "315.0", "87.0",
            "", "", "gmail.com", "", "1.0", "2.0", "14.0", "", "T", "", "1.0", "",
        ]
        for c in charges
    ]  # fmt: skip
    path = _written(folder / "train_transaction.csv", [head, *rows])
    return Shape("ieee_cis", [path], len(charges), _frauds(charges))


def european_cards(folder: Path, seed: int) -> Shape:
    rng = random.Random(seed + 1)
    charges = made(seed, days=2.0)
    columns = [f"V{n}" for n in range(1, 29)]
    rows = [
        [c.seconds, *(f"{rng.gauss(0, 1):.12f}" for _ in columns), c.major, int(c.is_fraud)]
        for c in charges
    ]
    path = _written(folder / "creditcard.csv", [["Time", *columns, "Amount", "Class"], *rows])
    return Shape("european_cards", [path], len(charges), _frauds(charges))


def ibm_tabformer(folder: Path, seed: int) -> Shape:
    rng = random.Random(seed + 1)
    charges = made(seed)
    start = datetime(2002, 9, 1, tzinfo=UTC)
    head = names(
        "User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name,Merchant City,Merchant State,"
        "Zip,MCC,Errors?,Is Fraud?"
    )
    chips = ["Swipe Transaction", "Chip Transaction", "Online Transaction"]
    rows = []
    for c in charges:
        time = c.at(start)
        rows.append([
            c.card // 3, c.card % 3, time.year, time.month, time.day, time.strftime("%H:%M"),
            f"${c.major}", rng.choice(chips), -7_000_000_000_000_000_000 + c.merchant, "La Verne",
            "CA", "91750.0", "5300", "Insufficient Balance," if c.is_declined else "",
            "Yes" if c.is_fraud else "No",
        ])  # fmt: skip
    refund = [0, 0, 2002, 10, 2, "06:21", "$-20.00", chips[0], "1", "X", "CA", "", "5300", "", "No"]
    path = _written(folder / "card_transaction.v1.csv", [head, *rows, refund])
    declined = sum(charge.is_declined for charge in charges)
    return Shape("ibm_tabformer", [path], len(charges), _frauds(charges), declined)


def stripe(folder: Path, seed: int) -> Shape:
    charges = made(seed)
    start = 1_790_000_000
    objects = [_stripe_charge(c, start) for c in charges]
    test = {**_stripe_charge(charges[0], start), "id": "ch_test", "livemode": False}
    disputes: list[dict[str, Any]] = [
        {
            "id": f"du_{c.number}", "object": "dispute", "amount": c.cents, "currency": "usd",
            "charge": f"ch_{c.number}", "created": start + c.seconds + 800_000, "livemode": True,
            "reason": "fraudulent", "status": "needs_response",
        }
        for c in charges
        if c.is_fraud
    ]  # fmt: skip
    warning = {
        "id": "issfr_1", "object": "radar.early_fraud_warning", "charge": disputes[0]["charge"],
        "created": start + 900_000, "fraud_type": "made_with_stolen_card", "livemode": True,
    }  # fmt: skip
    paths = [folder / "charges.jsonl", folder / "disputes.jsonl"]
    for path, lines in zip(paths, ([*objects, test], [*disputes, warning]), strict=True):
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    declined = sum(charge.is_declined for charge in charges)
    return Shape("stripe", paths, len(charges), len(disputes), declined)


def _stripe_charge(c: Made, start: int) -> dict[str, Any]:
    return {
        "id": f"ch_{c.number}",
        "object": "charge",
        "amount": c.cents,
        "currency": "usd",
        "created": start + c.seconds,
        "livemode": True,
        "status": "failed" if c.is_declined else "succeeded",
        "outcome": {"type": "issuer_declined" if c.is_declined else "authorized"},
        "billing_details": {"email": "ann@example.com"},
        "metadata": {"order": str(c.number)},
        "on_behalf_of": f"acct_{c.merchant}",
        "refunded": False,
        "dispute": None,
        "payment_method_details": {
            "type": "card",
            "card": {
                "fingerprint": f"fp{c.card}",
                "country": "US",
                "funding": "credit",
                "checks": {"cvc_check": "pass", "address_postal_code_check": "unavailable"},
                "three_d_secure": {"result": "authenticated"} if c.number % 2 else None,
            },
        },
    }


def adyen(folder: Path, seed: int) -> Shape:
    charges = made(seed)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    head = names(
        "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,"
        "Creation Date,TimeZone,Type,Modification Reference,Gross Currency,Gross Debit (GC),"
        "Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),"
        "Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,"
        "Batch Number,Shopper Reference"
    )
    rows: list[list[object]] = [
        [
            "Company", f"Merchant{c.merchant}", f"88{c.number:014d}", f"order {c.number}", "visa",
            c.at(start).strftime("%Y-%m-%d %H:%M:%S"), "CET", "Settled", f"99{c.number:014d}",
            "EUR",
            "", c.major, 1, "EUR", "", c.major, "", 0.1, 0.1, 0.1, "visaclassic", 4, f"s{c.card}",
        ]
        for c in charges
    ]  # fmt: skip
    fee: list[object] = ["Company", "Merchant1", "", "", "", "2026-04-01 00:00:00", "CEST", "Fee"]
    rows.append([*fee, *[""] * (len(head) - len(fee))])
    dispute_head = names(
        "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,"
        "Record Date,Record Date TimeZone,Dispute Currency,Dispute Amount,Record Type,"
        "Dispute PSP Reference,Dispute Reason,RFI Scheme Code,RFI Reason Code,CB Scheme Code,"
        "CB Reason Code,NoF Scheme Code,NoF Reason Code"
    )
    disputes = [
        [
            "Company", f"Merchant{c.merchant}", f"88{c.number:014d}", f"order {c.number}", "visa",
            (c.at(start) + timedelta(days=9)).strftime("%Y-%m-%d %H:%M:%S"), "CEST", "EUR", c.major,
            "Chargeback", f"77{c.number:014d}", "Other Fraud", "", "", "visa", "10.4", "", "",
        ]
        for c in charges
        if c.is_fraud
    ]  # fmt: skip
    settled = _written(folder / "settlement_detail_report_batch_4.csv", [head, *rows])
    disputed = _written(folder / "dispute_report.csv", [dispute_head, *disputes])
    return Shape("adyen", [settled, disputed], len(charges), len(disputes))


def braintree(folder: Path, seed: int) -> Shape:
    charges = made(seed)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    head = names(
        "Transaction ID,Transaction Type,Transaction Status,Created Datetime,Created Timezone,"
        "Merchant Account,Currency ISO Code,Amount Authorized,Payment Method Token,Customer ID,"
        "Unique Number Identifier,Card Type,Debit,CVV Response Code,AVS Postal Code Response Code"
    )
    rows = [
        [
            f"tx{c.number}", "sale", "processor_declined" if c.is_declined else "settled",
            c.at(start).strftime("%m/%d/%Y %H:%M:%S"), "UTC", f"shop{c.merchant}", "USD", c.major,
            f"token{c.card}", "customer", f"uni{c.card}", "Visa", "Yes", "M", "N",
        ]
        for c in charges
    ]  # fmt: skip
    dispute_head = names("Dispute ID,Transaction ID,Kind,Reason,Reason Code,Received Date,Status")
    disputes = [
        [
            f"dis{c.number}", f"tx{c.number}", "CHARGEBACK", "FRAUD", "10.4",
            (c.at(start) + timedelta(days=9)).strftime("%m/%d/%Y"), "OPEN",
        ]
        for c in charges
        if c.is_fraud
    ]  # fmt: skip
    searched = _written(folder / "transactions.csv", [head, *rows])
    disputed = _written(folder / "disputes.csv", [dispute_head, *disputes])
    declined = sum(charge.is_declined for charge in charges)
    return Shape("braintree", [searched, disputed], len(charges), len(disputes), declined)


SHAPES: dict[str, Callable[[Path, int], Shape]] = {
    make.__name__: make
    for make in (
        adyen,
        braintree,
        european_cards,
        fraud_detection_handbook,
        ibm_tabformer,
        ieee_cis,
        paysim,
        sparkov,
        stripe,
    )
}
