/*
 * The ring of src/ring, with the lane worker that reads it and the counters it keeps (src/threads/lane.ts,
 * src/deliver/lane-loop.ts, src/observe/counters.ts), for Spin. test/model/ring-spin.test.ts runs it.
 *
 * One step is what the memory model calls one: a single Atomics call, with the plain accesses that ride on it. A payload is
 * written and read in two steps, so that a torn one shows. Both ends may die at any step and are replaced:
 *
 *   producer   the main thread: claim, write, publish, wake. It dies DEATHS_P times, and the next one opens the ring where
 *              HEAD stands and wakes first. It does not die between taking SLEEPING and notifying: nobody could know. (In the
 *              daemon a main thread takes its lanes with it; what the model shows is that claims of nobody harm nobody.)
 *   worker     take over, then turns: give back (advance, commit, release), take (next), sleep. It dies DEATHS_W times.
 *   settler    the main thread's other half: moves what the worker sets aside to the DLQ, then marks it settled.
 *   killer     decides when somebody dies, and may decide not to.
 *
 * Checked: every message is read in order and whole; nothing is overwritten between claim and release; nothing is given back
 * that neither Kinesis nor the DLQ has; Kinesis gets a message twice only if a worker died with it in flight, the DLQ never;
 * what is committed equals what was done, at every commit and across every death. That nobody waits for ever is Spin's check
 * for invalid end states: there the worker sleeps with something published, or the producer waits for room that never comes.
 *
 * Positions count units of 8 bytes modulo RANGE, as they count bytes modulo 2^32 in the code. MUTANT_<number> seeds the mistake
 * of that number in test/model/mutants/mutants.ts.
 */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef LONGEST
#define LONGEST 3      /* units of the longest entry; the shortest has one */
#endif
#ifndef DEATHS_W
#define DEATHS_W 1
#endif
#ifndef DEATHS_P
#define DEATHS_P 1
#endif
#ifndef FLIGHT
#define FLIGHT 2        /* messages that may be on their way to Kinesis at once */
#endif
#ifndef ASIDES
#define ASIDES MESSAGES /* the first so many messages may also be set aside */
#endif
#ifndef CAPACITY
#define CAPACITY 8      /* units; a power of two */
#endif
#define RANGE (4 * CAPACITY)
#ifndef START
#define START (RANGE - 3) /* the first position: positions wrap, and padding is needed, within the first entries */
#endif

#define place(position) ((position) & (CAPACITY - 1))
#define wrapped(position) ((position) & (RANGE - 1))

#define PENDING 0
#define DELIVERED 1
#define SET_ASIDE 2
#define SETTLED 3
#define PADDING 4

#if defined(MUTANT_11)
#define nothingUnread (cursor >= headSeen)
#else
#define nothingUnread (cursor == headSeen)
#endif
#if defined(MUTANT_5)
#define roomLeft (CAPACITY + 1 - wrapped(RANGE + claimed - tailSeen))
#else
#define roomLeft (CAPACITY - wrapped(RANGE + claimed - tailSeen))
#endif
#if defined(MUTANT_8)
#define isPadding(index) (state[index] == SETTLED)
#else
#define isPadding(index) (state[index] == PADDING)
#endif

/* Shared memory: the control words; of each unit, what an entry's header there says, and what is written there. */
byte head = START;
byte tail = START;
bool sleeping;
byte state[CAPACITY];
byte length[CAPACITY];
byte written[CAPACITY];

/* The lane's block of counters: two copies, and which one is valid. */
bool valid;
byte committedTail[2] = START;
byte committedDelivered[2];
byte committedSettled[2];
byte committedAhead[2];

/* The thread is listed as waiting on HEAD. Its promise resolves when this becomes false. */
bool enlisted;
/* Entries that the worker asks to be moved to the DLQ, and the answer that something was. */
chan setAside = [MESSAGES] of { byte };
bool settledSomething;

/* Only for the checks. */
byte held[CAPACITY];         /* which message owns the unit, from claim to release; MESSAGES + 1: padding */
byte published;              /* the last message published */
byte kinesis[MESSAGES + 1];  /* how often Kinesis got it */
byte dlq[MESSAGES + 1];      /* how often the DLQ got it */
byte excused[MESSAGES + 1];  /* how often a worker died with it in flight */
bool killWorker, killProducer;

inline notify() { enlisted = false }

/* --- the producer ---------------------------------------------------------------------------------------------------- */

inline reserve() {
  off = place(claimed);
  untilEnd = CAPACITY - off;
  if
  :: size <= untilEnd -> needed = size
  :: else -> needed = untilEnd + size
  fi;
  grown = needed;
#if defined(MUTANT_6)
  needed = size;
#endif
}

/* Writes the headers. Every unit taken must be nobody's. */
inline take() {
  if
  :: size > untilEnd ->
    assert(held[off] == 0);
    held[off] = MESSAGES + 1;
    state[off] = PADDING;
    length[off] = untilEnd;
    off = 0
  :: else
  fi;
  i = 0;
  do
  :: i < size -> assert(held[off + i] == 0); held[off + i] = message; i++
  :: else -> break
  od;
  state[off] = PENDING;
  length[off] = size;
  claimed = wrapped(claimed + grown);
#if defined(MUTANT_1)
  head = claimed; published = message;
#endif
}

inline claim() {
  if
  :: size = 1
  :: LONGEST >= 2 -> size = 2
  :: LONGEST >= 3 -> size = 3
  :: LONGEST >= 4 -> size = 4
  fi;
  d_step { reserve(); isFull = needed > roomLeft; if :: !isFull -> take() :: else fi };
  do
  :: !isFull -> break
  :: else ->
    /* Pairs with the worker's store of TAIL. */
    d_step { tailSeen = tail; isFull = needed > roomLeft; if :: !isFull -> take() :: else fi };
    if
    :: !isFull
    :: else -> publish(); wake(); tail != tailSeen
    fi
  od
}

inline write() {
  written[off] = message;
  d_step {
    i = 1;
    do
    :: i < size -> written[off + i] = message; i++
    :: else -> break
    od;
    i = 0; off = 0; untilEnd = 0; needed = 0; grown = 0
  }
}

inline publish() {
#if defined(MUTANT_3)
  sleeperSeen = sleeping;
#endif
  d_step { head = claimed; if :: isFull -> published = message - 1 :: else -> published = message fi }
}

inline wake() {
#if defined(MUTANT_3)
  if
  :: !sleeperSeen
  :: else ->
#else
  if
  :: !sleeping
  :: sleeping ->
#endif
    if
    :: d_step { sleeping -> sleeping = false; isWaking = true }; d_step { notify(); isWaking = false }
    :: !sleeping
    fi
  fi
}

/* A producer that is gone leaves its unpublished claims behind: nobody was told that they were taken. */
inline loseClaims() {
  do
  :: claimed != head -> claimed = wrapped(RANGE + claimed - 1); held[place(claimed)] = 0
  :: else -> break
  od;
  off = 0; size = 0; untilEnd = 0; needed = 0; grown = 0; isFull = false
}

proctype Producer() {
  byte message, claimed, tailSeen, off, size, untilEnd, needed, grown, i;
  bool isFull, isWaking;
#if defined(MUTANT_3)
  bool sleeperSeen;
#endif
  claimed = head;
opened:
  {
    d_step { claimed = head; tailSeen = tail; message = published + 1 };
    wake();
    do
    :: message <= MESSAGES ->
      claim();
      write();
      /* More claims may follow before they are published together. */
      if
      :: publish(); wake()
      :: message < MESSAGES
      fi;
      message++
    :: else -> break
    od
  } unless { killProducer && !isWaking };
  if
  :: killProducer -> d_step { killProducer = false; loseClaims() }; goto opened
  :: else
  fi
}

/* --- the worker ------------------------------------------------------------------------------------------------------ */

/* LaneCounters.commit: the copy that is not valid, then the switch. */
inline commit() {
#if defined(MUTANT_12)
  copy = valid;
#else
  copy = 1 - valid;
#endif
  committedTail[copy] = done;
  d_step {
    committedDelivered[copy] = delivered;
    committedSettled[copy] = settled;
    committedAhead[copy] = ahead
  };
  /* Pairs with the load of whoever reads the counters. */
  d_step {
#if !defined(MUTANT_12)
    valid = copy;
#endif
    copy = 0;
    assert(committedDelivered[valid] + committedSettled[valid] + committedAhead[valid] <= published)
  }
}

inline release() {
  /* Pairs with the producer's load of TAIL. */
  d_step {
    i = tail;
    do
    :: i != done -> held[place(i)] = 0; i = wrapped(i + 1)
    :: else -> break
    od;
    i = 0;
#if defined(MUTANT_2)
    tail = cursor
#else
    tail = done
#endif
  }
}

/* Counts again what the worker before had marked as delivered and not given back. Nobody else marks it, so it is one step. */
inline takeOver() {
  d_step {
    done = committedTail[valid];
    delivered = committedDelivered[valid];
    settled = committedSettled[valid];
    headSeen = head;
    cursor = done;
#if defined(MUTANT_13)
    ahead = committedAhead[valid];
#else
    ahead = 0;
    do
    :: cursor == headSeen -> break
    :: else ->
      if
      :: state[place(cursor)] == DELIVERED -> ahead++
      :: else
      fi;
      cursor = wrapped(cursor + length[place(cursor)])
    od;
#endif
    cursor = done
  };
  commit();
#if defined(MUTANT_10)
  done = head; cursor = done;
#endif
  release();
  d_step {
    headSeen = head;
    expected = delivered + settled + 1
  }
}

inline giveBack() {
  do
  :: done == cursor -> break
  :: else ->
    /* Pairs with the settler's store. */
    d_step {
      off = place(done);
      given = false;
      if
      :: state[off] == PADDING -> given = true
      :: else ->
#if defined(MUTANT_7)
        given = true;
#else
        given = state[off] == DELIVERED || state[off] == SETTLED;
#endif
        if
        :: given ->
          assert(held[off] == delivered + settled + 1);
          if
          :: state[off] == DELIVERED -> assert(kinesis[held[off]] > 0); ahead--; delivered++
          :: else -> assert(dlq[held[off]] == 1); settled++
          fi
        :: else
        fi
      fi;
      if
      :: given -> done = wrapped(done + length[off])
      :: else
      fi;
      off = 0
    };
    if
    :: given -> given = false
    :: else -> break
    fi
  od;
#if defined(MUTANT_14)
  release(); commit()
#else
  commit(); release()
#endif
}

/* An entry is whole while it is not given back. */
inline checkWhole(index, message) {
  i = 0;
  do
  :: i < length[index] -> assert(held[index + i] == message && written[index + i] == message); i++
  :: else -> break
  od;
  i = 0
}

/* RingConsumer.next, until an entry was taken or there is none. */
inline readNext() {
  isEmpty = false;
  do
  :: nothingUnread ->
    /* Pairs with the producer's store of HEAD. */
    d_step { headSeen = head; isEmpty = nothingUnread };
    if
    :: isEmpty -> break
    :: else
    fi
  :: else ->
    d_step {
      off = place(cursor);
      given = isPadding(off);
      cursor = wrapped(cursor + length[off])
    };
    if
    :: given -> given = false
    :: else ->
      d_step {
        assert(written[off] == expected && held[off] == expected);
        given = state[off] == PENDING;
        hasTaken = true;
        expected++
      };
      if
      :: given ->
        d_step {
          given = false;
          checkWhole(off, written[off]);
          if
          :: flight[0] == 0 -> flight[0] = off + 1
          :: else -> flight[1] = off + 1
          fi;
          off = 0
        }
      :: !given && state[off] == SET_ASIDE -> atomic { setAside!off; off = 0 }
      :: else -> off = 0
      fi;
      break
    fi
  od
}

#define hasRoom (flight[0] == 0 || (FLIGHT > 1 && flight[1] == 0))

/* RingWaiter.sleep. */
inline sleep() {
#if defined(MUTANT_4)
  sleeping = true;
  if
  :: d_step { head == headSeen -> enlisted = true; asleep = true }
  :: d_step { head != headSeen -> sleeping = false }
  fi
#else
  if
  :: d_step { head == headSeen -> enlisted = true; asleep = true };
    sleeping = true;
#if !defined(MUTANT_9)
    if
    :: head == headSeen
    :: head != headSeen ->
      if
      :: d_step { sleeping -> sleeping = false }; notify()
      :: !sleeping
      fi
    fi
#endif
  :: head != headSeen
  fi
#endif
}

/* Kinesis has it, or will not have it. A death between the two steps is what makes duplicates. */
inline answer(slot) {
  if
  :: d_step {
      off = flight[slot] - 1;
      checkWhole(off, held[off]);
      assert(kinesis[held[off]] <= excused[held[off]]);
      kinesis[held[off]]++
    };
    d_step { state[off] = DELIVERED; ahead++; flight[slot] = 0; off = 0 }
  :: d_step { held[flight[slot] - 1] <= ASIDES -> off = flight[slot] - 1; state[off] = SET_ASIDE };
    atomic { setAside!off; flight[slot] = 0; off = 0 }
  fi
}

inline workerDies() {
  enlisted = false;
  settledSomething = false;
  i = 0;
  do
  :: i < FLIGHT ->
    if
    :: flight[i] != 0 -> excused[held[flight[i] - 1]]++; flight[i] = 0
    :: else
    fi;
    i++
  :: else -> break
  od;
  do
  :: setAside?i
  :: empty(setAside) -> break
  od;
  i = 0; off = 0; given = false; asleep = false; isEmpty = false; hasTaken = false; copy = 0;
  cursor = 0; done = 0; headSeen = 0; expected = 0; delivered = 0; settled = 0; ahead = 0
}

inline checkBooks() {
  i = 1;
  do
  :: i <= MESSAGES ->
    assert(dlq[i] <= 1 && kinesis[i] + dlq[i] >= 1 && kinesis[i] + dlq[i] <= 1 + excused[i]);
    off = off + dlq[i];
    i++
  :: else -> break
  od;
  assert(committedAhead[valid] == 0 && committedSettled[valid] == off);
  assert(committedDelivered[valid] == MESSAGES - off);
  assert(head == tail && committedTail[valid] == tail)
}

proctype Worker() {
  byte cursor, done, headSeen, expected, delivered, settled, ahead, off, i;
  byte flight[2];
  bool asleep, given, isEmpty, hasTaken;
  bit copy;
started:
  {
    takeOver();
    do
    :: giveBack();
      if
      :: delivered + settled == MESSAGES -> break
      :: else
      fi;
      d_step { isEmpty = false; hasTaken = false };
      do
      :: hasRoom && !isEmpty -> readNext()
      :: else -> break
      od;
      /* A lane that was busy naps; one that found nothing sleeps. */
      if
      :: isEmpty && !hasTaken && !asleep -> sleep()
      :: else
      fi;
      /* The thread's event loop: whatever comes first brings the next turn. */
      if
      :: asleep && !enlisted -> asleep = false
      :: isEmpty && (hasTaken || !asleep)
      :: settledSomething -> settledSomething = false
      :: flight[0] != 0 -> answer(0)
      :: flight[1] != 0 -> answer(1)
      fi
    od;
    true;
    d_step { checkBooks() }
  } unless { killWorker };
  if
  :: killWorker -> d_step { killWorker = false; workerDies() }; goto started
  :: else
  fi
}

/* --- the others ------------------------------------------------------------------------------------------------------ */

/* Returns.settle: copies the entry into the DLQ, then marks it. It looks at the state first: it may have been told twice. */
proctype Settler() {
  byte off, i;
end:
  do
  :: setAside?off ->
    if
    :: d_step {
        state[off] == SET_ASIDE ->
        checkWhole(off, held[off]);
        dlq[held[off]]++
      };
      state[off] = SETTLED
    :: state[off] != SET_ASIDE
    fi;
    d_step { off = 0; settledSomething = true }
  od
}

proctype Killer() {
  byte workers, producers;
end:
  do
  :: workers < DEATHS_W -> workers++; if :: atomic { !killWorker -> killWorker = true } :: true fi
  :: producers < DEATHS_P -> producers++; if :: atomic { !killProducer -> killProducer = true } :: true fi
  :: workers == DEATHS_W && producers == DEATHS_P -> break
  od
}

init {
  atomic { run Producer(); run Worker(); run Settler(); run Killer() }
}
