"""What to do about an error of a client whose cause is in its settings."""

from typing import Final

from confluent_kafka import KafkaError

_MEND_USER: Final = (
    "mend KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD, or the user's password on the brokers"
)
_MEND_MECHANISM: Final = (
    "mend KAFKA_SASL_MECHANISM, or the port in KAFKA_BOOTSTRAP_SERVERS, whose listener has others"
)
_MEND_ISSUER: Final = (
    "mend KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, KAFKA_SASL_OAUTHBEARER_CLIENT_ID, "
    "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET or KAFKA_HTTPS_CA_LOCATION, or the issuer of the tokens"
)
_MEND_CLAIMS: Final = (
    "mend KAFKA_SASL_OAUTHBEARER_SCOPE or the issuer, whose tokens have another issuer, audience, "
    "key or time than the brokers expect"
)
_MEND_AUTHORITY: Final = (
    "mend KAFKA_SSL_CA_LOCATION, the file of the authority that the brokers' certificates are of, "
    "or renew theirs"
)
_MEND_CERTIFICATE: Final = (
    "mend or renew the certificate that KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION "
    "name"
)


def remedy(error: KafkaError) -> str:
    """Return what to do about an error, empty where its cause is not in the settings.

    Examples
    --------
    >>> remedy(KafkaError(KafkaError._AUTHENTICATION, "Authentication failed"))
    "mend KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD, or the user's password on the brokers"
    >>> remedy(KafkaError(KafkaError._TRANSPORT))
    ''
    """
    told = error.str()
    # The brokers' word that they do not take our certificate comes after TLS was agreed on.
    if "SSL routines" in told and "alert" in told:
        return _MEND_CERTIFICATE
    if error.code() == KafkaError._SSL:
        return _MEND_AUTHORITY
    if error.code() != KafkaError._AUTHENTICATION:
        return ""
    if "mechanism handshake failed" in told:  # as also when the broker goes away just then
        return _MEND_MECHANISM if "Unsupported SASL mechanism" in told else ""
    if "Failed to acquire SASL OAUTHBEARER token" in told:
        return _MEND_ISSUER
    return _MEND_CLAIMS if "invalid_token" in told else _MEND_USER


def with_remedy(error: KafkaError) -> str:
    """Return an error in words, and what to do about it, if anything."""
    return ": ".join(filter(None, (error.str(), remedy(error))))
