/**
 * X.509 certificates for our own processes: an authority that signs itself, and what it signs. ECDSA on P-256 throughout, which every TLS 1.3
 * peer speaks. Keys are made and used by node:crypto; only the ASN.1 is somebody else's. Nothing is stored here.
 *
 * https://www.rfc-editor.org/rfc/rfc5280
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import { externalError } from "../core/errors.ts";

/** Who signs. */
export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. A secret. */
  readonly privateKey: string;
}

/** A key that its owner made. */
export interface KeyPair {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** PKCS#8, PEM. A secret. */
  readonly privateKey: string;
}

/** What a certificate shall say. */
export interface CertificateWish {
  /** For people. */
  readonly commonName: string;
  /** SubjectPublicKeyInfo, DER: of an EC key on P-256. */
  readonly publicKey: Uint8Array;
  /** Host names, IP addresses and URIs that the owner answers to. */
  readonly names: readonly string[];
  /** Wall time in milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const OID = {
  commonName: "2.5.4.3",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** A new key on P-256. */
export function makeKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    publicKey: new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** A new authority with a key of its own, which may sign ends of connections and no further authorities. */
export function makeAuthority(commonName: string, notBeforeMs: number, notAfterMs: number): Authority {
  const { publicKey, privateKey } = makeKeyPair();
  const usage = new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign);
  const extensions = [
    extension(OID.basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
    extension(OID.keyUsage, usage, true),
    extension(OID.subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(publicKey))),
  ];
  const name = nameOf(commonName);
  const wish = { commonName, publicKey, names: [], notBeforeMs, notAfterMs };
  return { certificate: signed(wish, name, extensions, createPrivateKey(privateKey)), privateKey };
}

/** A certificate for both ends of a TLS connection, PEM. Throws `permission-denied` for a key that is not an EC key on P-256. */
export function issueCertificate(authority: Authority, wish: CertificateWish): string {
  checkPublicKey(wish.publicKey);
  const issuer = new X509Certificate(authority.certificate);
  const issuerKey = new Uint8Array(issuer.publicKey.export({ type: "spki", format: "der" }));
  const extensions = [
    extension(OID.basicConstraints, new BasicConstraints({ cA: false }), true),
    extension(OID.keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    extension(OID.extendedKeyUsage, new ExtendedKeyUsage([OID.serverAuth, OID.clientAuth])),
    extension(OID.subjectAltName, new SubjectAlternativeName(wish.names.map(generalName))),
    extension(OID.subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(wish.publicKey))),
    extension(OID.authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdentifier(issuerKey)) })),
  ];
  const parsed = AsnConvert.parse(issuer.raw, Certificate);
  return signed(wish, parsed.tbsCertificate.subject, extensions, createPrivateKey(authority.privateKey));
}

function checkPublicKey(der: Uint8Array): void {
  const refused = (cause?: unknown) => {
    return externalError("permission-denied", "a public key to be certified is not an EC key on P-256", { retry: "never", cause });
  };
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
  } catch (error) {
    throw refused(error);
  }
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw refused();
}

function signed(wish: CertificateWish, issuer: Name, extensions: Extension[], key: KeyObject): string {
  const algorithm = new AlgorithmIdentifier({ algorithm: OID.ecdsaWithSha256 });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(wish),
    signature: algorithm,
    issuer,
    validity: new Validity({ notBefore: wholeSecond(wish.notBeforeMs), notAfter: wholeSecond(wish.notAfterMs) }),
    subject: nameOf(wish.commonName),
    subjectPublicKeyInfo: AsnConvert.parse(wish.publicKey, SubjectPublicKeyInfo),
    extensions: new Extensions(extensions),
  });
  const signatureValue = bufferOf(sign("sha256", Buffer.from(AsnConvert.serialize(tbsCertificate)), key));
  const der = AsnConvert.serialize(new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue }));
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function extension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function nameOf(commonName: string): Name {
  const attribute = new AttributeTypeAndValue({ type: OID.commonName, value: new AttributeValue({ utf8String: commonName }) });
  return new Name([new RelativeDistinguishedName([attribute])]);
}

function generalName(name: string): GeneralName {
  if (isIP(name) !== 0) return new GeneralName({ iPAddress: name });
  return name.includes("://") ? new GeneralName({ uniformResourceIdentifier: name }) : new GeneralName({ dNSName: name });
}

/** Method 1 of RFC 5280 §4.2.1.2, of the whole SubjectPublicKeyInfo. */
function keyIdentifier(publicKey: Uint8Array): ArrayBuffer {
  return bufferOf(createHash("sha1").update(publicKey).digest());
}

/** 127 bits that no other certificate of this key and time has; positive, without leading zeros. */
function serialNumber({ publicKey, notBeforeMs, commonName }: CertificateWish): ArrayBuffer {
  const bytes = createHash("sha256").update(publicKey).update(`${notBeforeMs} ${commonName}`).digest().subarray(0, 16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bufferOf(bytes);
}

/** Certificates know no milliseconds. */
function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1_000) * 1_000);
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
