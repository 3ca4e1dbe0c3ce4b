/** Conformance cases about what surrounds a request: method, target, encoding, signature, and bodies that are no request. */
import { type Case, type Expected, fails, passes, violates } from './conformance.ts';
import type { Asked } from './raw.ts';

const xml = (type: string, message: string): Expected => ({
  status: 403,
  answer: `<${type}>\n  <Message>${message}</Message>\n</${type}>\n`,
});
const denied = xml('AccessDeniedException', 'Unable to determine service/operation name to be authorized');
const listStreams: Asked = { operation: 'ListStreams', body: { Limit: 1, ExclusiveStartStreamName: 'zzz' } };
const none = passes({ StreamNames: [], HasMoreStreams: false });
const wrongHead = 'we judge a request by its head, before its body has come; kinesalite reads the body first';

const ask = (name: string, headers: Asked['headers'], expected: Expected, rest: Partial<Asked> = {}): Case => ({
  name: `a request ${name}`,
  asked: { ...listStreams, ...rest, ...(headers === undefined ? {} : { headers }) },
  ...expected,
});

export const httpCases = (): Case[] => [...headCases(), ...bodyCases()];

function headCases(): Case[] {
  const authorization = 'AWS4-HMAC-SHA256 Credential=x, SignedHeaders=y';
  return [
    ask('that is well formed', undefined, none),
    {
      ...ask('whose type names a charset', { 'content-type': 'application/x-amz-json-1.1; charset=utf-8' }, none),
      wire: 'json',
    },
    ask('by GET', undefined, denied, { method: 'GET', body: '' }),
    ask('by PUT', undefined, denied, { method: 'PUT' }),
    ask('of another type', { 'content-type': 'text/plain' }, { status: 404, answer: '<UnknownOperationException/>\n' }),
    ask('of another type, without target', { 'content-type': 'text/plain', 'x-amz-target': undefined }, denied),
    ask('for no operation', { 'x-amz-target': undefined }, fails('UnknownOperationException')),
    ask('for another operation', undefined, fails('UnknownOperationException'), { operation: 'PutRecrods' }),
    ask('for another service', { 'x-amz-target': 'DynamoDB_20120810.ListTables' }, fails('UnknownOperationException')),
    ask(
      'without signature',
      { authorization: undefined },
      fails('MissingAuthenticationTokenException', 'Missing Authentication Token'),
    ),
    ask(
      'with half a signature',
      { authorization },
      fails(
        'IncompleteSignatureException',
        `Authorization header requires 'Signature' parameter. Authorization=${authorization}`,
      ),
    ),
    ask(
      'with a signature of nothing',
      { authorization: 'AWS4-HMAC-SHA256', 'x-amz-date': undefined },
      fails(
        'IncompleteSignatureException',
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
          "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a " +
          "'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256",
      ),
    ),
  ];
}

function bodyCases(): Case[] {
  return [
    ask('that is empty', undefined, fails('SerializationException'), { body: '' }),
    { ...ask('that is no JSON', undefined, fails('SerializationException'), { body: '{"Limit":' }), wire: 'json' },
    {
      ...ask('that is no CBOR', undefined, fails('SerializationException'), { body: Buffer.from('a1', 'hex') }),
      wire: 'cbor',
    },
    { ...ask('that is a number', undefined, fails('SerializationException'), { body: '5' }), wire: 'json' },
    { ...ask('that is null', undefined, fails('SerializationException'), { body: 'null' }), wire: 'json' },
    {
      ...ask('that is a list', undefined, fails('SerializationException'), {
        operation: 'DescribeStreamSummary',
        body: '[]',
      }),
      wire: 'json',
      kinesalite: {
        because: 'kinesalite takes a list for a structure without members',
        ...violates(["Value null at 'streamName'", 'not be null']),
      },
    },
    {
      ...ask(
        'that is unsigned and no JSON',
        { authorization: undefined },
        fails('MissingAuthenticationTokenException', 'Missing Authentication Token'),
        { body: 'x' },
      ),
      wire: 'json',
      kinesalite: { because: wrongHead, ...fails('SerializationException') },
    },
  ];
}
