/** Why an agent of Nomad does not answer, told by the error codes of Node, OpenSSL and the system, and what to do about each. */
import { toAppError } from "../../../core/errors.ts";
import { type Finding, fail } from "../check.ts";

interface Fault {
  readonly codes: RegExp;
  readonly says: (address: string, words: string) => string;
  readonly fix: string;
}

/** First match counts. Codes of certificates: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const FAULTS: readonly Fault[] = [
  {
    codes: /ECONNREFUSED/,
    says: (address) => `nothing listens at ${address}`,
    fix: "Start the Nomad agent there, or correct nomad.address (NOMAD_ADDR).",
  },
  {
    codes: /ENOTFOUND|EAI_AGAIN/,
    says: (address) => `the host name of ${address} is not known here`,
    fix: "Correct nomad.address (NOMAD_ADDR), or the name service of this machine.",
  },
  {
    codes: /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/,
    says: (address) => `there is no way through the network to ${address}`,
    fix: "Look at firewalls and security groups between here and there: TCP 4646 must be open.",
  },
  {
    codes: /CERT_HAS_EXPIRED/,
    says: (address) => `the certificate of ${address} has expired`,
    fix: "Renew the agent's certificate (nomad tls cert create) and reload the agent with SIGHUP.",
  },
  {
    codes: /CERT_NOT_YET_VALID/,
    says: (address) => `the certificate of ${address} is not valid yet`,
    fix: "Set the clock of this machine, or renew the agent's certificate.",
  },
  {
    codes: /ERR_TLS_CERT_ALTNAME_INVALID/,
    says: (address, words) => `the certificate of ${address} is made out to another name: ${words}`,
    fix: 'Set nomad.tls-server-name to a name in the certificate, such as "server.global.nomad".',
  },
  {
    codes: /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE/,
    says: (address) => `the certificate of ${address} is signed by an authority that is not trusted here`,
    fix: "Set nomad.ca-cert (NOMAD_CACERT) to the file of the authority that signed it.",
  },
  {
    codes: /ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH|EPROTO.*wrong version/,
    says: (address) => `${address} speaks plain HTTP, not TLS`,
    fix: "Write nomad.address with http://, or switch TLS on in the agent.",
  },
  {
    codes: /ALERT_CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_HANDSHAKE_FAILURE|EPROTO.*alert/,
    says: (address) => `${address} wants a client certificate that it trusts`,
    fix: "Set nomad.client-cert and nomad.client-key (NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY) to a certificate of the cluster's authority.",
  },
  {
    codes: /ENOENT/,
    says: (address) => `the socket ${address} does not exist`,
    fix: "Correct nomad.unix-address: inside a Nomad task it is secrets/api.sock.",
  },
  {
    codes: /EACCES|EPERM/,
    says: (address) => `this user may not open ${address}`,
    fix: "Run as a user with the right to open the socket.",
  },
];

/** The finding for an agent that did not answer with `thrown`. */
export function connectionFault(address: string, thrown: unknown): Finding {
  const error = toAppError(thrown);
  const { code = "" } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
  const words = thrown instanceof Error ? thrown.message : error.message;
  const fault = FAULTS.find(({ codes }) => codes.test(`${code} ${words}`));
  if (fault !== undefined) return fail(fault.says(address, alternatives(thrown, words)), fault.fix);
  return fail(`${address} does not answer: ${words}`, "Look at the agent's log, or correct nomad.address (NOMAD_ADDR).");
}

/** The names that a certificate has: Node keeps the certificate with the error. */
function alternatives(thrown: unknown, words: string): string {
  const { cert } = thrown as { readonly cert?: { readonly subjectaltname?: string } };
  return cert?.subjectaltname ?? words;
}
