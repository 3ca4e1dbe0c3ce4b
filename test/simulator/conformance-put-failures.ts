/**
 * What the conformance cases about PutRecord and PutRecords have in common: the failures that both know, in AWS' words. Data
 * alone; imported by the files conformance-put*.ts.
 */
import { type Expected, fails } from './conformance.ts';

export const withoutEncryption = 'kinesalite leaves EncryptionType out of answers about records';
export const hashPattern = '0|([1-9]\\d{0,38})';
export const tooLarge = String(2n ** 128n);
export const beyond = (text: string): Expected =>
  fails(
    'InvalidArgumentException',
    `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${text}`,
  );
export const outOfRange = beyond(tooLarge);
export const notAShape = fails('SerializationException', 'Start of structure or map found where not expected.');
export const notAList = fails('SerializationException', 'Start of list found where not expected');
export const notA = (java: string, type: string): Expected =>
  fails('SerializationException', `class ${java} can not be converted to ${type}`);
export const aBoolean = 'java.lang.Boolean';
export const aBigNumber = 'com.amazon.coral.value.json.numbers.TruncatingBigNumber';
export const data = Buffer.from('some data');
