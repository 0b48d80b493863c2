/**
 * The Nexmark benchmark's events as pure functions of the event's number: any parallelism makes the same events. Of 50
 * events one is a person, three are auctions, 46 are bids. Ids, hot keys and distributions follow the reference generator:
 * https://github.com/nexmark/nexmark (GeneratorConfig, BidGenerator, AuctionGenerator, PersonGenerator).
 *
 * Randomness is SplitMix64 of (event number, purpose). Text is written at `at`; functions return the end.
 */
import { writeU64 } from "./number-write.ts";

const EVENTS: i64 = 50;
const AUCTIONS: i64 = 3;
/** Ids begin here. */
const FIRST_ID: i64 = 1000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
const HOT_RATIO: i64 = 100;
const ACTIVE_PEOPLE: i64 = 1000;
const IN_FLIGHT_AUCTIONS: i64 = 100;
const CHANNELS: u64 = 10000;
const NS_PER_MS: i64 = 1000000;

/** Random 64 bits for `purpose`, below 256, of event `n`. */
export function random(n: i64, purpose: u64): u64 {
  let z = (<u64>n * 256 + purpose + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/** A random number below `bound`, by the high bits: no division. */
function below(bits: u64, bound: u64): i64 {
  return <i64>(((bits >> 32) * bound) >> 32);
}

export function isPerson(n: i64): bool {
  return n % EVENTS == 0;
}

export function isAuction(n: i64): bool {
  const offset = n % EVENTS;
  return offset >= 1 && offset <= AUCTIONS;
}

/** Number of the last person made at or before event `n`. */
function lastPerson(n: i64): i64 {
  return n / EVENTS;
}

/** Number of the last auction made at or before event `n`. */
function lastAuction(n: i64): i64 {
  const offset = n % EVENTS;
  const epoch = n / EVENTS;
  if (offset == 0) return epoch * AUCTIONS - 1;
  return epoch * AUCTIONS + (offset > AUCTIONS ? AUCTIONS : offset) - 1;
}

function randomPerson(n: i64, purpose: u64): i64 {
  const people = lastPerson(n) + 1;
  const active = people < ACTIVE_PEOPLE ? people : ACTIVE_PEOPLE;
  return people - active + below(random(n, purpose), <u64>active);
}

function randomAuction(n: i64, purpose: u64): i64 {
  const last = lastAuction(n);
  const first = last > IN_FLIGHT_AUCTIONS ? last - IN_FLIGHT_AUCTIONS : 0;
  return first + below(random(n, purpose), <u64>(last - first + 1));
}

export function personId(n: i64): i64 {
  return lastPerson(n) + FIRST_ID;
}

export function auctionId(n: i64): i64 {
  return lastAuction(n) + FIRST_ID;
}

/** Three of four sellers are hot. */
export function auctionSeller(n: i64): i64 {
  if (below(random(n, 1), 4) > 0) return (lastPerson(n) / HOT_RATIO) * HOT_RATIO + FIRST_ID;
  return randomPerson(n, 2) + FIRST_ID;
}

export function auctionCategory(n: i64): i64 {
  return FIRST_CATEGORY + below(random(n, 3), CATEGORIES);
}

/**
 * Prices run log-uniformly from 100 to 10^8, by integers alone so that every machine agrees: 100 × 2^x for x below
 * log2(10^6) = 19.93 in steps of 1/1024, linear between powers of two: 99,993,600 at most.
 */
function price(bits: u64): i64 {
  const step = below(bits, 20386);
  const whole = step >> 10;
  return 100 * ((<i64>1) << whole) + ((100 * ((<i64>1) << whole) * (step & 1023)) >> 10);
}

export function auctionInitialBid(n: i64): i64 {
  return price(random(n, 4));
}

export function auctionReserve(n: i64): i64 {
  return auctionInitialBid(n) + price(random(n, 5));
}

/** Expiry: as far ahead as the auctions in flight last, twice that at most. */
export function auctionExpires(n: i64, at: i64, intervalNs: i64): i64 {
  const horizon = (IN_FLIGHT_AUCTIONS * EVENTS * intervalNs) / AUCTIONS / NS_PER_MS;
  return at + (1 + below(random(n, 6), <u64>(horizon * 2 > 1 ? horizon * 2 : 1))) * NS_PER_MS;
}

/** Every second bid is for a hot auction. */
export function bidAuction(n: i64): i64 {
  if (below(random(n, 7), 2) > 0) return (lastAuction(n) / HOT_RATIO) * HOT_RATIO + FIRST_ID;
  return randomAuction(n, 8) + FIRST_ID;
}

/** Three of four bidders are hot: the person behind the hot seller, once there is one. */
export function bidBidder(n: i64): i64 {
  const last = lastPerson(n);
  if (below(random(n, 9), 4) > 0) {
    const hot = (last / HOT_RATIO) * HOT_RATIO + 1;
    return (hot < last ? hot : last) + FIRST_ID;
  }
  return randomPerson(n, 10) + FIRST_ID;
}

export function bidPrice(n: i64): i64 {
  return price(random(n, 11));
}

/** A table of 16-byte entries: text padded with zeros, its length in the last byte. */
function writeEntry(at: usize, table: usize, index: i64): usize {
  const entry = table + ((<usize>index) << 4);
  v128.store(at, v128.load(entry));
  return at + <usize>load<u8>(entry, 15);
}

/** `count` lower-case letters from `bits` and on. */
function writeLetters(at: usize, n: i64, purpose: u64, count: usize): usize {
  let bits = random(n, purpose);
  for (let i: usize = 0; i < count; i++) {
    if ((i & 7) == 7) bits = random(n, purpose + <u64>i);
    store<u8>(at + i, <u8>(97 + below(bits << ((i & 7) << 2), 26)));
  }
  return at + count;
}

const HOT_CHANNELS: usize = memory.data<u8>([
  71, 111, 111, 103, 108, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 70, 97, 99, 101, 98, 111, 111, 107, 0, 0, 0, 0, 0, 0, 0, 8, 66, 97, 105, 100,
  117, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 65, 112, 112, 108, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5,
]);

/** Channel of a bid: four hot ones, or one of 10,000; negative: hot channel −1 − index. */
function channelOf(n: i64): i64 {
  const bits = random(n, 12);
  return (bits & 1) == 0 ? -1 - below(bits, 4) : below(bits, CHANNELS);
}

export function writeBidChannel(at: usize, n: i64): usize {
  const channel = channelOf(n);
  if (channel < 0) return writeEntry(at, HOT_CHANNELS, -1 - channel);
  // "channel-"
  store<u64>(at, 0x2d6c656e6e616863);
  return writeU64(at + 8, <u64>channel);
}

/** `https://www.nexmark.com/` + three words + `/item.htm?query=1` [+ `&channel_id=N`], a function of the channel. */
export function writeBidUrl(at: usize, n: i64): usize {
  const channel = channelOf(n);
  store<u64>(at, 0x2f2f3a7370747468);
  // "https://" "www.nexm" "ark.com/"
  store<u64>(at, 0x6d78656e2e777777, 8);
  store<u64>(at, 0x2f6d6f632e6b7261, 16);
  let q = at + 24;
  for (let word: u64 = 0; word < 3; word++) {
    q = writeLetters(q, channel, 20 + word, 5);
    store<u8>(q++, 47);
  }
  // "item.htm" "?query=1"
  store<u64>(q, 0x6d74682e6d657469);
  store<u64>(q, 0x313d79726575713f, 8);
  q += 16;
  if (channel < 0) return q;
  // "&channel" "_id="
  store<u64>(q, 0x6c656e6e61686326);
  store<u32>(q, 0x3d64695f, 8);
  return writeU64(q + 12, <u64>channel);
}

/** Padding text of about `average` bytes. */
export function writeExtra(at: usize, n: i64, average: usize): usize {
  return writeLetters(at, n, 30, average - 8 + <usize>below(random(n, 31), 16));
}

/** A name of two words of letters. */
export function writePersonName(at: usize, n: i64): usize {
  let q = writeLetters(at, n % 11, 40, 5);
  store<u8>(at, load<u8>(at) - 32);
  store<u8>(q++, 32);
  const second = q;
  q = writeLetters(q, n % 9, 41, 6);
  store<u8>(second, load<u8>(second) - 32);
  return q;
}

export function writePersonEmail(at: usize, n: i64): usize {
  let q = writeLetters(at, n, 42, 7);
  store<u8>(q++, 64);
  q = writeLetters(q, n, 43, 5);
  // ".com"
  store<u32>(q, 0x6d6f632e);
  return q + 4;
}

/** Four groups of four digits. */
export function writeCreditCard(at: usize, n: i64): usize {
  const bits = random(n, 44);
  let q = at;
  for (let i: usize = 0; i < 16; i++) {
    if (i > 0 && (i & 3) == 0) store<u8>(q++, 32);
    store<u8>(q++, <u8>(48 + below(bits << (i << 1), 10)));
  }
  return q;
}

// Phoenix, Palo Alto, Seattle, Portland, Boise, San Jose, Cheyenne, Bend
const CITIES: usize = memory.data<u8>([
  80, 104, 111, 101, 110, 105, 120, 0, 0, 0, 0, 0, 0, 0, 0, 7, 80, 97, 108, 111, 32, 65, 108, 116, 111, 0, 0, 0, 0, 0, 0, 9, 83, 101, 97,
  116, 116, 108, 101, 0, 0, 0, 0, 0, 0, 0, 0, 7, 80, 111, 114, 116, 108, 97, 110, 100, 0, 0, 0, 0, 0, 0, 0, 8, 66, 111, 105, 115, 101, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 5, 83, 97, 110, 32, 74, 111, 115, 101, 0, 0, 0, 0, 0, 0, 0, 8, 67, 104, 101, 121, 101, 110, 110, 101, 0, 0, 0, 0,
  0, 0, 0, 8, 66, 101, 110, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4,
]);
/** AZ, CA, ID, OR, WA, WY. */
const STATES: usize = memory.data<u8>([65, 90, 67, 65, 73, 68, 79, 82, 87, 65, 87, 89]);

export function writePersonCity(at: usize, n: i64): usize {
  return writeEntry(at, CITIES, below(random(n, 45), 8));
}

export function writePersonState(at: usize, n: i64): usize {
  store<u16>(at, load<u16>(STATES + ((<usize>below(random(n, 46), 6)) << 1)));
  return at + 2;
}

export function writeItemName(at: usize, n: i64): usize {
  return writeLetters(at, n, 47, 12 + <usize>below(random(n, 48), 8));
}

export function writeItemDescription(at: usize, n: i64): usize {
  return writeLetters(at, n, 49, 40 + <usize>below(random(n, 50), 40));
}
