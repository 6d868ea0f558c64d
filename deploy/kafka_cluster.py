"""A secured Apache Kafka on this machine: several nodes, TLS, passwords, tokens, access lists.

For tests of what a lone, open broker cannot show. Every topic is on all nodes, and a majority has
to have a message before it counts. Nobody may do anything but the cluster's administrator, until
rights are given.
"""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.broker import HOST
from deploy.certificates import Authority, Issued
from deploy.nodes import Nodes
from deploy.token_issuer import AUDIENCE, KEYS_FILE, NAME, TokenIssuer

BROKERS: Final = 3
ADMINISTRATOR: Final = "administrator"

_HEAP_MB: Final = 256
_BROKER: Final = "broker"
_BY_PASSWORD, _BY_TOKEN, _BY_CERTIFICATE = "PASSWORD", "TOKEN", "CERTIFICATE"
_CONTROLLER: Final = "CONTROLLER"
_FILES: Final = "certificates"
_OF_TOKENS: Final = "listener.name.token.oauthbearer"
_OAUTH: Final = "org.apache.kafka.common.security.oauthbearer"
_SCRAM_ITERATIONS: Final = 4096
_SETTINGS: Final = {
    "listener.security.protocol.map": (
        "PASSWORD:SASL_SSL,TOKEN:SASL_SSL,CERTIFICATE:SSL,CONTROLLER:SSL"
    ),
    "inter.broker.listener.name": _BY_CERTIFICATE,
    "listener.name.password.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.password.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
    f"{_OF_TOKENS}.sasl.jaas.config": f"{_OAUTH}.OAuthBearerLoginModule required;",
    f"{_OF_TOKENS}.sasl.server.callback.handler.class": (
        f"{_OAUTH}.OAuthBearerValidatorCallbackHandler"
    ),
    f"{_OF_TOKENS}.sasl.oauthbearer.expected.audience": AUDIENCE,
    f"{_OF_TOKENS}.sasl.oauthbearer.expected.issuer": NAME,
    # Who has no new token once its own has expired is let in no longer.
    f"{_OF_TOKENS}.connections.max.reauth.ms": "3600000",
    "listener.name.certificate.ssl.client.auth": "required",
    "listener.name.controller.ssl.client.auth": "required",
    "ssl.keystore.type": "PEM",
    "ssl.truststore.type": "PEM",
    # The user of a certificate is its common name.
    "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{_BROKER};User:{ADMINISTRATOR}",
}


class KafkaCluster(Nodes):
    """Nodes whose clients show a password, a token or a certificate.

    Parameters
    ----------
    brokers
        How many nodes.
    options
        Further ones of their JVMs.

    Attributes
    ----------
    authority
        Issues certificates that the cluster trusts.

    Examples
    --------
    ::

        with KafkaCluster() as kafka:
            env = kafka.add_user("worker")
            kafka.allow([...])
    """

    authority: Authority

    def __init__(self, brokers: int = BROKERS, options: tuple[str, ...] = ()) -> None:
        listeners = (_BY_PASSWORD, _BY_TOKEN, _BY_CERTIFICATE, _CONTROLLER)
        super().__init__(brokers, listeners, _HEAP_MB, options)
        self._issuer: TokenIssuer | None = None

    @property
    def env(self) -> dict[str, str]:
        """See `Nodes.env`: the administrator's, who shows a certificate."""
        return self._certificate_env(self._administrator)

    @property
    def issuer(self) -> TokenIssuer:
        """What issues tokens that the cluster trusts."""
        assert self._issuer is not None, "not started"
        return self._issuer

    def add_user(self, name: str, password: str | None = None) -> dict[str, str]:
        """Make a user, or change the password; return the variables of the user's clients.

        They are what the commands of `chargewatch` take.
        """
        password = password or secrets.token_urlsafe(16)
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
        change = UserScramCredentialUpsertion(name, credential, password.encode())
        admin = self.admin()
        for changed in admin.alter_user_scram_credentials([change]).values():
            changed.result()
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._addresses(_BY_PASSWORD),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": name,
            "KAFKA_SASL_PASSWORD": password,
            "KAFKA_SSL_CA_LOCATION": str(self.authority.certificate),
        }

    def add_certificate(self, name: str, valid: timedelta = timedelta(days=1)) -> dict[str, str]:
        """Issue a certificate; return the variables of clients that show it, as `add_user`."""
        return self._certificate_env(self.authority.issue(name, valid=valid))

    def renew_certificate(self) -> None:
        """Issue the nodes a new certificate in the place of theirs, and have them show it at once.

        Raises
        ------
        KafkaException
            When a node does not take it.
        """
        file = str(self.authority.issue(_BROKER, [HOST]).both)
        taken = [
            ConfigEntry(
                f"listener.name.{listener.lower()}.ssl.keystore.location",
                file,
                incremental_operation=AlterConfigOpType.SET,
            )
            for listener in (_BY_PASSWORD, _BY_TOKEN, _BY_CERTIFICATE)
        ]
        admin = self.admin()
        for node in self.nodes:
            told = ConfigResource(ResourceType.BROKER, str(node.node_id), incremental_configs=taken)
            for answer in admin.incremental_alter_configs([told]).values():
                answer.result()

    def add_token_user(self, name: str) -> dict[str, str]:
        """Make a user who shows tokens; return the variables of its clients, as `add_user`."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._addresses(_BY_TOKEN),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SASL_OAUTHBEARER_METHOD": "oidc",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": name,
            "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": self.issuer.add_client(name),
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": self.issuer.url,
            "KAFKA_HTTPS_CA_LOCATION": str(self.authority.certificate),
            "KAFKA_SSL_CA_LOCATION": str(self.authority.certificate),
        }

    def stop(self) -> None:
        """See `Nodes.stop`."""
        super().stop()
        if self._issuer is not None:
            self._issuer.close()
            self._issuer = None

    def allow(self, rights: Sequence[AclBinding]) -> None:
        """Add to the access lists; nodes heed it a moment later."""
        admin = self.admin()
        for allowed in admin.create_acls(list(rights)).values():
            allowed.result()

    def take_away(self, rights: Sequence[AclBindingFilter]) -> None:
        """Remove from the access lists; nodes heed it a moment later."""
        admin = self.admin()
        for removed in admin.delete_acls(list(rights)).values():
            removed.result()

    def _settings(self, home: Path) -> dict[str, str]:
        self.authority = Authority(home / _FILES)
        self._administrator = self.authority.issue(ADMINISTRATOR)
        self._issuer = TokenIssuer(home / _FILES, HOST, self.authority.issue("issuer", [HOST]))
        return {
            **_SETTINGS,
            **_replication(self._count),
            "ssl.keystore.location": str(self.authority.issue(_BROKER, [HOST]).both),
            "ssl.truststore.location": str(self.authority.certificate),
            f"{_OF_TOKENS}.sasl.oauthbearer.jwks.endpoint.url": _keys_url(home),
        }

    def _java_options(self, home: Path) -> tuple[str, ...]:
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={_keys_url(home)}"
        return (*super()._java_options(home), allowed)

    def _client(self, addresses: str) -> dict[str, str]:
        return {
            "bootstrap.servers": addresses,
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "ssl.certificate.location": str(self._administrator.certificate),
            "ssl.key.location": str(self._administrator.key),
        }

    def _certificate_env(self, files: Issued) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._addresses(_BY_CERTIFICATE),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_LOCATION": str(self.authority.certificate),
            "KAFKA_SSL_CERTIFICATE_LOCATION": str(files.certificate),
            "KAFKA_SSL_KEY_LOCATION": str(files.key),
        }


def _keys_url(home: Path) -> str:
    return (home / _FILES / KEYS_FILE).as_uri()


def _replication(brokers: int) -> dict[str, str]:
    """Return settings by which a message counts once a majority of the nodes has it."""
    copies, majority = str(brokers), str(brokers // 2 + 1)
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": majority,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": majority,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": majority,
    }
