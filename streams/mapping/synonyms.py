"""What columns are called: names of fields in the styles and languages that files come in."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD: Final = re.compile(r"[^0-9a-z\u0400-\u04ff\u3040-\u9fff]+")

SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "id": (
        "id", "transaction id", "transactionid", "trans id", "trans num", "transaction number",
        "transaction no", "txn id", "tx id", "charge id", "payment id", "order id", "psp reference",
        "reference", "transaction reference", "transaction ref", "uuid", "auth id", "event id",
        "transaktions id", "transaktionsnummer", "buchungsnummer", "vorgangsnummer", "belegnummer",
        "id transaction", "numero transaction", "id transaccion", "numero transaccion",
        "id transacao", "id transazione", "numero operazione", "transactie id", "nr transakcji",
        "islem no", "идентификатор", "номер операции", "交易编号", "取引番号",
    ),
    "created": (
        "created", "created at", "created datetime", "creation date", "timestamp", "time stamp",
        "datetime", "date time", "date", "time", "transaction time", "transaction date",
        "transaction dt", "transaction datetime", "trans date trans time", "trans date",
        "tx datetime", "tx time", "tx date", "event time", "unix time", "epoch", "purchase date",
        "authorized at", "auth time", "payment date", "booking date", "step", "local time",
        "datum", "zeit", "zeitpunkt", "uhrzeit", "buchungsdatum", "buchungszeit",
        "transaktionszeit",
        "transaktionsdatum", "date heure", "horodatage", "date transaction", "date operation",
        "fecha", "fecha hora", "fecha transaccion", "fecha operacion", "data", "data hora",
        "data transacao", "data ora", "data operazione", "data transazione", "datum tijd",
        "tijdstip", "data transakcji", "czas", "tarih", "islem tarihi", "дата", "время",
        "дата операции", "交易时间", "日期", "取引日時", "日時",
    ),
    "amount": (
        "amount", "amt", "transaction amount", "transaction amt", "tx amount", "trans amount",
        "amount cents", "amount minor", "amount authorized", "total", "total amount", "value",
        "sum", "price", "gross amount", "gross", "purchase amount", "charge amount",
        "payment value",
        "betrag", "umsatz", "summe", "montant", "somme", "importe", "monto", "cantidad", "valor",
        "importo", "bedrag", "kwota", "tutar", "islem tutari", "сумма", "金额", "交易金额", "金額",
    ),
    "currency": (
        "currency", "currency code", "currency iso code", "curr", "ccy", "cur", "gross currency",
        "waehrung", "wahrung", "devise", "monnaie", "moneda", "divisa", "moeda", "valuta", "waluta",
        "para birimi", "валюта", "货币", "币种", "通貨",
    ),
    "card": (
        "card", "card id", "card token", "card fingerprint", "fingerprint", "card hash",
        "card number", "card no", "cc num", "cc number", "pan", "pan hash", "pan token", "token",
        "payment method token", "unique number identifier", "account", "account id",
        "account number", "customer", "customer id", "client", "client id", "user", "user id",
        "cardholder", "cardholder id", "name orig", "shopper reference", "payer", "payer id",
        "card1", "karte", "kartennummer", "karten id", "kundennummer", "kunde", "kunden id",
        "konto",
        "carte", "numero carte", "id client", "tarjeta", "numero tarjeta", "cliente", "id cliente",
        "cartao", "numero cartao", "carta", "numero carta", "kaart", "kaartnummer", "karta",
        "numer karty", "kart", "kart no", "карта", "номер карты", "клиент", "卡号", "カード番号",
    ),
    "merchant": (
        "merchant", "merchant id", "merchant name", "merchant account", "merchant code", "mid",
        "seller", "seller id", "shop", "shop id", "store", "store id", "vendor", "vendor id",
        "terminal", "terminal id", "tid", "name dest", "payee", "recipient", "on behalf of",
        "beneficiary",
        "product cd", "business id", "haendler", "handler", "haendler id", "kassenterminal",
        "filiale", "commercant", "marchand", "id marchand", "magasin", "comercio", "id comercio",
        "comerciante", "tienda", "loja", "estabelecimento", "lojista", "esercente", "negozio",
        "winkel", "handelaar", "sprzedawca", "sklep", "uye isyeri", "isyeri", "магазин", "продавец",
        "商户", "商户号", "加盟店",
    ),
    "mcc": (
        "mcc", "mcc code", "merchant category code", "merchant category", "category code",
        "branchencode", "code mcc", "codigo mcc",
    ),
    "merchant_country": (
        "merchant country", "merchant country code", "shop country", "seller country",
        "store country",
        "acquirer country", "haendlerland", "pays marchand", "pais comercio",
    ),
    "card_country": (
        "card country", "issuer country", "issuing country", "bin country", "country of issuance",
        "card issuer country", "kartenland", "pays carte", "pays emetteur", "pais tarjeta",
        "pais emisor", "country",
    ),
    "ip_country": ("ip country", "country ip", "ip country code", "geo country", "shopper country"),
    "funding": (
        "funding", "card funding", "card funding type", "card type", "funding source", "card6",
        "kartenart", "type carte", "tipo tarjeta", "tipo cartao",
    ),
    "channel": (
        "channel", "entry mode", "pos entry mode", "use chip", "transaction channel",
        "card presence",
        "shopper interaction", "kanal", "canal", "canale",
    ),
    "payment_method": (
        "payment method", "payment type", "payment method type", "payment instrument type",
        "zahlart", "zahlungsart", "zahlungsmethode", "mode paiement", "moyen paiement",
        "metodo pago", "forma pagamento", "metodo pagamento", "betaalmethode", "支付方式",
    ),
    "device": (
        "device", "device id", "device fingerprint", "device hash", "device token", "geraet",
        "geraete id", "appareil", "dispositivo",
    ),
    "ip": ("ip", "ip address", "ip addr", "client ip", "shopper ip", "customer ip", "adresse ip"),
    "email": (
        "email", "e mail", "mail", "email address", "customer email", "shopper email", "email hash",
        "correo", "courriel",
    ),
    "cvc_check": (
        "cvc check", "cvc result", "cvv result", "cvv check", "cvc2 response", "cvv response code",
    ),
    "postal_check": ("postal check", "avs result", "avs zip check", "avs response", "zip check"),
    "three_d_secure": ("three d secure", "3ds", "3d secure", "3ds authenticated", "is 3ds"),
    "fraud": (
        "fraud", "is fraud", "fraud flag", "fraud label", "fraudulent", "tx fraud", "isfraud",
        "fraud ind", "fraud indicator", "is fraudulent", "chargeback", "is chargeback",
        "has chargeback", "charged back", "disputed", "is disputed", "label", "target", "class",
        "is scam", "betrug", "ist betrug", "betrugsfall", "fraude", "est fraude", "es fraude",
        "fraudulenta", "e fraude", "frode", "is frode", "oszustwo", "dolandiricilik",
        "мошенничество", "欺诈", "是否欺诈", "不正",
    ),
}  # fmt: skip
"""Words by which columns are told, of each field; those of a label are under `fraud`."""

LEAKS: Final = ("fraud", "chargeback", "dispute", "scam", "betrug", "fraude", "frode", "label")
"""Words in the names of columns that say what is only known later."""

PERSONAL: Final = frozenset({
    "name", "first", "last", "first name", "last name", "street", "address", "dob", "birthday",
    "date of birth", "phone", "telephone", "cardholder name", "zip", "postal code", "email", "ip",
    "ssn", "vorname", "nachname", "strasse", "plz", "telefon", "nom", "prenom", "adresse",
    "nombre", "apellido", "direccion", "telefono", "nome", "cognome", "indirizzo",
})  # fmt: skip
"""Names of columns that say who somebody is."""


def words(name: str) -> str:
    """Return a name as words in lower case, without accents.

    Examples
    --------
    >>> words("TX_DATETIME"), words("merchantCategoryCode"), words("Währung"), words("Is Fraud?")
    ('tx datetime', 'merchant category code', 'wahrung', 'is fraud')
    """
    spaced = " ".join(_HUMP.split(name)) if not name.isupper() else name
    plain = unicodedata.normalize("NFKD", spaced.lower())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return _NO_WORD.sub(" ", plain).strip()


def likeness(field: str, name: str) -> float:
    """Return how much a name is like one of a field, from 0 to 1; a nested one by its end.

    Examples
    --------
    >>> likeness("amount", "TX_AMOUNT"), likeness("amount", "orig_amount_x"), likeness("ip", "tip")
    (0.996, 0.5, 0.0)
    """
    given = words(name)
    joined = given.replace(" ", "")
    best = 0.0
    for place, synonym in enumerate(SYNONYMS[field]):
        if given == synonym or joined == synonym.replace(" ", ""):
            return 1.0 - place * 1e-3 if place else 1.0
        if len(synonym) > 2 and f" {synonym} " in f" {given} ":
            best = max(best, 0.5 - (place and place * 1e-3))
    last = name.rpartition(".")[2]
    if last != name:
        return max(best, 0.9 * likeness(field, last))
    return best


def says_later(name: str) -> bool:
    """Return whether a column says what is only known later.

    >>> says_later("TX_FRAUD_SCENARIO"), says_later("category")
    (True, False)
    """
    return any(word in words(name) for word in LEAKS)


def is_personal(name: str) -> bool:
    """Return whether a column says who somebody is.

    >>> is_personal("first"), is_personal("city_pop")
    (True, False)
    """
    return words(name.rpartition(".")[2]) in PERSONAL
