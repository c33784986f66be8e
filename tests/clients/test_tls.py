"""Fail closed: a server that does not prove who it is gets nothing."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integration.errors import Unavailable, Unknown

NOW = datetime.now(UTC)


def certificate(folder, name, *, issuer=None, hosts=("127.0.0.1",), ends=timedelta(days=1), authority=False):
    """A key and a certificate in PEM files, signed by `issuer` or by itself; gives (path, (certificate, key))."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signed_by, signing_key = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    names = [x509.IPAddress(ipaddress.ip_address(h)) if h[0].isdigit() else x509.DNSName(h) for h in hosts]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signed_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=10))
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, authority, authority, False, False), critical=True
        )
        .sign(signing_key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(pem))
    return path, (made, key)


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    authority, issuer = certificate(folder, "authority", authority=True)
    found = {
        "honest": certificate(folder, "honest", issuer=issuer),
        "self-signed": certificate(folder, "selfsigned"),
        "wrong host": certificate(folder, "wronghost", issuer=issuer, hosts=("10.0.0.1", "other.test")),
        "expired": certificate(folder, "expired", issuer=issuer, ends=timedelta(days=-1)),
    }
    return authority, {name: path for name, (path, _) in found.items()}


def serve(make_server, papers, which):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers[1][which])
    server = make_server(context)
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    return server


@pytest.fixture
def make_server(server):
    made = []

    def make(context):
        made.append(type(server)(context))
        return made[-1]

    yield make
    for one in made:
        one.close()


def trusting(http, papers):
    http.session.verify = str(papers[0])
    return http


def test_a_server_with_honest_papers_is_spoken_to(make_server, papers, http_to):
    server = serve(make_server, papers, "honest")
    client = trusting(http_to(server, "https"), papers)
    assert client.call("POST", "/x", {}, lane="orders", writes=True, costs={}).document == {}


@pytest.mark.parametrize("which", ["self-signed", "wrong host", "expired"])
@pytest.mark.parametrize("writes", [False, True])
def test_a_server_without_honest_papers_gets_nothing(make_server, papers, http_to, which, writes):
    server = serve(make_server, papers, which)
    client = trusting(http_to(server, "https"), papers)
    with pytest.raises(Unavailable, match="does not prove who it is"):
        client.call("POST", "/x", {}, lane="orders", writes=writes, costs={})
    assert server.requests == []


def test_an_authority_that_nobody_trusts_is_no_authority(make_server, papers, http_to):
    server = serve(make_server, papers, "honest")
    with pytest.raises(Unavailable, match="does not prove who it is"):
        http_to(server, "https").call("POST", "/x", {}, lane="orders", writes=False, costs={})


def test_tls_that_breaks_after_the_request_leaves_a_write_unknown(make_server, papers, http_to):
    """Once the handshake is over, a broken record says nothing about what the server did."""
    server = serve(make_server, papers, "honest")

    def break_record(connection, request):
        import socket

        raw = socket.socket(fileno=connection.detach())
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"\xaa" * 32)  # an application record that no key opens
        raw.close()

    server.script = break_record
    client = trusting(http_to(server, "https"), papers)
    with pytest.raises(Unknown):
        client.call("POST", "/x", {}, lane="orders", writes=True, costs={})
    assert len(server.requests) == 1
