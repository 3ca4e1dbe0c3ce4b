/**
 * Where a program on EC2 or EKS gets its credentials, on a port of the test's own thread: the instance metadata service (IMDSv2,
 * which refuses requests without its token) and an STS that takes AssumeRole and AssumeRoleWithWebIdentity. Started by tests
 * and stopped with them; the secrets that it gives out open nothing.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface MetadataFaults {
  /** Every connection is destroyed as soon as a request is read. */
  readonly down: boolean;
  /** Milliseconds that every answer waits. */
  readonly slowMs: number;
  /** Seconds from the giving out of credentials to their end; below 0 they have ended before they arrive. */
  readonly lifeSeconds: number;
  /** New credentials so often, in seconds; 0: the same ones, with a later end, for ever. */
  readonly rotateSeconds: number;
  /** The instance has no role: its list is answered with 404. */
  readonly noRole: boolean;
  /** STS refuses with status 400 and this code, for instance ExpiredTokenException; empty: it does not. */
  readonly stsError: string;
}

const noFaults: MetadataFaults = {
  down: false,
  slowMs: 0,
  lifeSeconds: 3_600,
  rotateSeconds: 0,
  noRole: false,
  stsError: '',
};

export interface MetadataService {
  readonly url: string;
  /** Environment in which an AWS client finds both services here, and no credentials elsewhere. */
  readonly env: Readonly<Record<string, string>>;
  /** Puts exactly these faults in force; `{}` ends all. */
  faults(faults: Partial<MetadataFaults>): void;
  /** Requests so far: `PUT /latest/api/token`, or `AssumeRole`. */
  readonly requests: ReadonlyMap<string, number>;
  /** Access keys in the order in which they were first given out, by either service. */
  readonly accessKeys: readonly string[];
  /** Destroys the port and its connections; done by the test's end as well. */
  stop(): Promise<void>;
}

const roleName = 'spillway-role';
const metadataToken = 'metadata-token';
const rolePath = '/latest/meta-data/iam/security-credentials/';

export async function metadataServiceFor(t: Pick<Test, 'teardown'>): Promise<MetadataService> {
  const service = new Service();
  const server = createServer((request, response) => void service.serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.teardown(stop);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { requests, accessKeys } = service;
  const nowhere = '/nonexistent';
  return {
    url,
    env: {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
      AWS_ENDPOINT_URL_STS: url,
      AWS_SHARED_CREDENTIALS_FILE: nowhere,
      AWS_CONFIG_FILE: nowhere,
      AWS_REGION: 'us-east-1',
    },
    faults: (faults) => {
      service.faults = { ...noFaults, ...faults };
    },
    requests,
    accessKeys,
    stop,
  };
}

interface Credentials {
  readonly accessKey: string;
  readonly secret: string;
  readonly token: string;
  readonly expiration: string;
}

class Service {
  faults: MetadataFaults = noFaults;
  readonly requests = new Map<string, number>();
  readonly accessKeys: string[] = [];
  #madeMs = 0;

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that gives up in the middle is part of the tests: what it sent is of no interest then.
    const body = await textOf(request).catch(() => undefined);
    const { down, slowMs } = this.faults;
    if (body === undefined || down) return void request.socket.destroy();
    const { status, type, text } = this.#answer(request, body);
    setTimeout(() => response.writeHead(status, { 'content-type': type }).end(text), slowMs);
  }

  #answer(request: IncomingMessage, body: string): Answer {
    const route = `${request.method} ${request.url}`;
    if (route === 'POST /') return this.#assume(new URLSearchParams(body));
    this.#count(route);
    if (route === 'PUT /latest/api/token') {
      const ttl = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
      return ttl >= 1 && ttl <= 21_600 ? plain(200, metadataToken) : plain(400, 'Bad Request');
    }
    if (request.headers['x-aws-ec2-metadata-token'] !== metadataToken) return plain(401, 'Unauthorized');
    if (this.faults.noRole || request.method !== 'GET') return plain(404, 'Not Found');
    if (request.url === rolePath) return plain(200, roleName);
    return request.url === rolePath + roleName ? this.#roleCredentials() : plain(404, 'Not Found');
  }

  #roleCredentials(): Answer {
    const { accessKey, secret, token, expiration } = this.#credentials();
    const value = {
      Code: 'Success',
      LastUpdated: new Date(this.#madeMs).toISOString(),
      Type: 'AWS-HMAC',
      AccessKeyId: accessKey,
      SecretAccessKey: secret,
      Token: token,
      Expiration: expiration,
    };
    return { status: 200, type: 'application/json', text: JSON.stringify(value) };
  }

  #assume(form: URLSearchParams): Answer {
    const action = form.get('Action') ?? '';
    this.#count(action);
    const needed: Record<string, readonly string[]> = {
      AssumeRole: ['RoleArn', 'RoleSessionName'],
      AssumeRoleWithWebIdentity: ['RoleArn', 'RoleSessionName', 'WebIdentityToken'],
    };
    if (needed[action] === undefined) return stsFailure('InvalidAction', `Could not find operation ${action}`);
    const missing = needed[action].find((member) => !form.get(member));
    if (missing !== undefined) return stsFailure('ValidationError', `${missing} is missing`);
    if (this.faults.stsError !== '') return stsFailure(this.faults.stsError, 'refused as ordered');
    const { accessKey, secret, token, expiration } = this.#credentials();
    const session = `${form.get('RoleArn')?.replace(':role/', ':assumed-role/')}/${form.get('RoleSessionName')}`;
    const result =
      `<AssumedRoleUser><Arn>${session}</Arn><AssumedRoleId>AROA:session</AssumedRoleId></AssumedRoleUser>` +
      `<Credentials><AccessKeyId>${accessKey}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey>` +
      `<SessionToken>${token}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
    return xml(200, `${action}Response`, `<${action}Result>${result}</${action}Result>`);
  }

  #credentials(): Credentials {
    const { lifeSeconds, rotateSeconds } = this.faults;
    const nowMs = Date.now();
    const due = rotateSeconds > 0 && nowMs - this.#madeMs >= rotateSeconds * 1_000;
    if (this.accessKeys.length === 0 || due) {
      this.#madeMs = nowMs;
      this.accessKeys.push(`ASIA${String(this.accessKeys.length + 1).padStart(16, '0')}`);
    }
    const accessKey = this.accessKeys.at(-1) as string;
    // Without the fraction: the SDK's reader of STS answers takes both, other clients only this.
    const expiration = new Date(nowMs + lifeSeconds * 1_000).toISOString().replace(/\.\d+Z$/, 'Z');
    return { accessKey, secret: `secret-of-${accessKey}`, token: `session-of-${accessKey}`, expiration };
  }

  #count(name: string): void {
    this.requests.set(name, (this.requests.get(name) ?? 0) + 1);
  }
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const plain = (status: number, text: string): Answer => ({ status, type: 'text/plain', text });

function xml(status: number, root: string, inside: string): Answer {
  const text =
    `<${root} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${inside}` +
    `<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></${root}>`;
  return { status, type: 'text/xml', text };
}

function stsFailure(code: string, message: string): Answer {
  return xml(
    400,
    'ErrorResponse',
    `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`,
  );
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += String(piece);
  return text;
}
