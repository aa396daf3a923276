/*
 * The life of a job's record and its queue row: claim, heartbeat, expiry, rescue, finish, cancel, retry, parking.
 *
 * What is one step here is one lock or one commit there. A transaction of the claim is: its snapshot of the queue; the records
 * it locks (FOR NO KEY UPDATE SKIP LOCKED, each read again when it is locked); what is taken (the unique index, which waits for
 * a claim of the same user that has not committed); the share locks on running queue rows; the commit. Whoever ends a run locks the record, then removes the queue
 * row, which waits for the share locks, brings back a parked job, and commits. A heartbeat locks the queue row alone and waits
 * for nobody. Sources: Sources/JobQueue/Queries/ and the triggers of migrations/0002_job_queue.sql.
 *
 * With ALONG the holder that ends a run may claim in the same transaction: it sees its own changes, nobody else does before the
 * commit, and if the claim meets another's at the unique index, all is undone and the run is ended by itself.
 *
 * Time is left out. A lease may run out at any moment (a worker that is paused, or slow, or away from the database), a worker
 * may die at any moment, and a back-off is over at once. So is the worker's own clock, which only makes it stop
 * sooner: what is shown here holds without it. Jobs are taken in the order of their numbers.
 *
 * Given from outside:
 *   FAR      all jobs are of one user, and the last is not due for as long as anybody looks
 *   NO_NET   without the rescuer's check for stranded parked jobs: the triggers alone
 *   ALONG    see above; without HANDBACKS, as a worker that stops claims nothing
 *   CRASHES, CANCELS, TOUCHES, RETRIES, HANDBACKS   how often that happens at most
 * Faults that must be found, see deploy/model: NO_FENCE, ATTEMPT_FENCES, EARLY_RESCUE, NO_RESCUE, NO_UNIQUE, NO_UNPARK,
 *   NO_SHARE_LOCK, NO_CRASH_BUDGET, NET_WAITS_FOR_FAR
 */

#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef TOUCHES
#define TOUCHES 0
#endif
#ifndef RETRIES
#define RETRIES 0
#endif
#ifndef HANDBACKS
#define HANDBACKS 0
#endif

#define JOBS 3
#define USERS 2
#define WORKERS 2
#define MAX_ATTEMPTS 2
#define MAX_CRASHES 1
#define NONE 255

/* Status of a row. Completed, failed and cancelled are one here: nothing tells them apart afterwards. */
#define QUEUED 0
#define RUNNING 1
#define FINAL 2

/* Rows. A lease of 0 is NULL. */
byte status[JOBS];
byte lease[JOBS];
byte attempt[JOBS];
byte crashed[JOBS];
bit parked[JOBS];
bit expired[JOBS];

/* Who claimed the row and has not lost it: what really is, and what no statement looks at. */
byte owner[JOBS];

/* The leases that the workers remember. A new lease is any number that neither a row nor a worker has: sync_lease_seq without
 * its endless growth. */
byte mine[WORKERS + 1];

/* Locks: who holds a record (FOR NO KEY UPDATE, FOR UPDATE, or a change not committed), who holds a queue row (a change not
 * committed) and how many share it, who has entered a user into the unique index and not committed. */
byte held[JOBS];
byte row_held[JOBS];
byte shared[JOBS];
byte entering[USERS];

/* What may still happen. */
byte crashes = CRASHES;
byte handbacks = HANDBACKS;

#ifdef FAR
#define user(j) 0
#define is_far(j) ((j) == JOBS - 1)
#else
#define user(j) ((j) / 2)
#define is_far(j) false
#endif

#define bit_of(j) (1 << (j))
#define has_job_of(set, u) (((set & 1) && user(0) == (u)) || ((set & 2) && user(1) == (u)) || ((set & 4) && user(2) == (u)))
#define claimable(j) (status[j] == QUEUED && !parked[j] && !is_far(j))
#define is_free(j) (held[j] == 0)
#define is_row_free(j) (row_held[j] == 0 && shared[j] == 0)
#define is_runs(j, u) (status[j] == RUNNING && user(j) == (u))
#define user_runs(u) (is_runs(0, u) || is_runs(1, u) || is_runs(2, u))
#define is_waiting_parked(j, u) (status[j] == QUEUED && parked[j] && user(j) == (u))
#define has_parked(u) (is_waiting_parked(0, u) || is_waiting_parked(1, u) || is_waiting_parked(2, u))
#define is_waiting(j, u) (status[j] == QUEUED && !parked[j] && user(j) == (u))
#ifdef NET_WAITS_FOR_FAR
#define blocks_net(u) (is_waiting(0, u) || is_waiting(1, u) || is_waiting(2, u))
#else
#define blocks_net(u) false
#endif
#define is_settled(j) (status[j] == FINAL || is_far(j))

#define is_lease_known(l) (lease[0] == (l) || lease[1] == (l) || lease[2] == (l) || mine[3 - self] == (l))

/* Whether the row is still this worker's: what every statement of a holder matches. */
#ifdef NO_FENCE
#define is_mine(j, l) true
#else
#define is_mine(j, l) (status[j] == RUNNING && lease[j] == (l))
#endif

/* Promise: whoever writes is the holder. */
#define check_holder(j) assert(owner[j] == self)

/* Promise: one running job of a user. */
#define check_one_running \
    assert((status[0] == RUNNING) + (status[1] == RUNNING && user(1) == 0) + (status[2] == RUNNING && user(2) == 0) <= 1)

/* What a claim sees and may lock: what is committed, and its own transaction's changes. */
#ifdef ALONG
#define sees_claimable(j) (j == ending -> (outcome == QUEUED && !is_far(j)) : (j == next -> !is_far(j) : claimable(j)))
#define sees_running(j) (status[j] == RUNNING && j != ending)
#define may_lock(j) (held[j] == 0 || held[j] == self)
#define meets_running(u) ((is_runs(0, u) && ending != 0) || (is_runs(1, u) && ending != 1) || (is_runs(2, u) && ending != 2))
#else
#define sees_claimable(j) claimable(j)
#define sees_running(j) (status[j] == RUNNING)
#define may_lock(j) is_free(j)
#define meets_running(u) user_runs(u)
#endif

#define something_due (claimable(0) || claimable(1) || claimable(2))

/* The end of a run, once its record is locked: the queue row is removed, and then, in a snapshot of its own, the user's next
 * parked job is brought back. FOR NO KEY UPDATE SKIP LOCKED. */
inline pick_parked(j) {
    d_step {
        row_held[j] = self;
        next = NONE;
#ifndef NO_UNPARK
        i = 0;
        do
        :: i < JOBS && next == NONE ->
            if
            :: is_waiting_parked(i, user(j)) && is_free(i) -> next = i; held[i] = self
            :: else
            fi;
            i++
        :: else -> break
        od;
#endif
        i = 0
    }
}

/* What becomes of the row and of the job brought back, at the commit. */
inline end_run(j, new_status) {
    status[j] = new_status;
    if :: new_status == FINAL -> attempt[j] = 0; crashed[j] = 0 :: else fi;
    lease[j] = 0;
    owner[j] = 0;
    parked[j] = 0;
    expired[j] = 0;
    held[j] = 0;
    row_held[j] = 0;
    if
    :: next != NONE -> parked[next] = 0; held[next] = 0; next = NONE
    :: else
    fi
}

/* A transaction that ends without a commit, or after it: all its locks go. */
inline release_all() {
    i = 0;
    do
    :: i < JOBS ->
        if :: held[i] == self -> held[i] = 0 :: else fi;
        if :: row_held[i] == self -> row_held[i] = 0 :: else fi;
        if :: sharing & bit_of(i) -> shared[i]-- :: else fi;
        i++
    :: else -> break
    od;
    if :: entering[0] == self -> entering[0] = 0 :: else fi;
    if :: entering[1] == self -> entering[1] = 0 :: else fi;
    i = 0; sharing = 0; due = 0; running = 0; blocked = 0; taken = NONE; next = NONE; width = 0
}

/* The statement begins: its snapshot, and how far it looks. */
inline take_snapshot() {
    if :: width = 1 :: width = JOBS fi;
    d_step {
        i = 0;
        do
        :: i < JOBS ->
            if :: sees_claimable(i) -> due = due | bit_of(i) :: else fi;
            if :: sees_running(i) -> running = running | bit_of(i) :: else fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

proctype worker(byte self) {
    byte job = NONE;
#ifdef ALONG
    byte ending = NONE; /* the job whose end is not committed yet */
    bit is_alone = 0;   /* the last try to claim with it met another's claim */
#endif
    byte i = 0, next = NONE, taken = NONE, width = 0;
    byte due = 0, running = 0, sharing = 0, blocked = 0; /* sets of jobs, and of users */
    byte outcome = 0;
    bit has_written = 0;

end_idle:
    atomic { something_due; take_snapshot() }
#ifdef ALONG
    goto lock_rows;
along:
    atomic { take_snapshot() }
#endif
lock_rows:
    /* Records locked, each read again; those of others are passed over. Of these one, of a user who had none running in the
       snapshot. The unique index waits for whoever has entered the user and not committed, and looks at what is committed
       then; where there is nobody to wait for, that is one step with the locks. */
    atomic {
        d_step {
            i = 0;
            do
            :: i < JOBS ->
                if
                :: (due & bit_of(i)) && (width == 0 || !may_lock(i) || !sees_claimable(i)) -> due = due - bit_of(i)
                :: (due & bit_of(i)) && width > 0 && may_lock(i) && sees_claimable(i) -> held[i] = self; width--
                :: else
                fi;
                if :: (due & bit_of(i)) && taken == NONE && !has_job_of(running, user(i)) -> taken = i :: else fi;
                i++
            :: else -> break
            od;
            i = 0; width = 0
        }
        taken == NONE || entering[user(taken)] == 0;
        if :: taken != NONE -> entering[user(taken)] = self :: else fi;
        if
#ifndef NO_UNIQUE
        :: taken != NONE && meets_running(user(taken)) ->
            d_step { release_all() };
#ifdef ALONG
            if :: ending != NONE -> ending = NONE; outcome = 0; is_alone = 1; goto running_job :: else fi;
#endif
            goto end_idle
#endif
        :: else
        fi
    }
    /* The running queue rows in the way, share-locked and read again; those that somebody is just ending are passed over. */
    d_step {
        i = 0;
        do
        :: i < JOBS ->
            if
            :: (running & bit_of(i)) && has_job_of(due, user(i)) ->
#ifdef NO_SHARE_LOCK
                blocked = blocked | bit_of(user(i))
#else
                if
                :: row_held[i] == 0 && status[i] == RUNNING ->
                    shared[i]++; sharing = sharing | bit_of(i); blocked = blocked | bit_of(user(i))
                :: else
                fi
#endif
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0;
        if :: taken != NONE -> blocked = blocked | bit_of(user(taken)) :: else fi
    }
    /* Commit. */
    atomic {
        d_step {
#ifdef ALONG
            if :: ending != NONE -> end_run(ending, outcome); ending = NONE; outcome = 0 :: else fi;
            has_written = 0;
#endif
            i = 0;
            do
            :: i < JOBS ->
                if
                :: (due & bit_of(i)) && i != taken && (blocked & bit_of(user(i))) -> parked[i] = 1
                :: else
                fi;
                i++
            :: else -> break
            od;
            i = 0;
            job = taken;
            if
            :: job != NONE ->
                attempt[job]++;
#ifdef ATTEMPT_FENCES
                mine[self] = attempt[job];
#else
                mine[self] = 1;
                do
                :: is_lease_known(mine[self]) -> mine[self]++
                :: else -> break
                od;
#endif
                status[job] = RUNNING; lease[job] = mine[self]; owner[job] = self; expired[job] = 0
#ifdef ALONG
            :: else -> mine[self] = 0
#else
            :: else
#endif
            fi;
            release_all()
        }
        check_one_running;
        if :: job == NONE -> goto end_idle :: else fi;
    }

running_job:
    if
    /* It dies here; within a transaction it would have done nothing, which is the same. */
    :: atomic { crashes > 0 -> crashes--; goto lost }
    /* A heartbeat, on the queue row alone; progress, state and log of a note match the record, locked or not, in the same way. */
    :: atomic { !has_written && is_row_free(job) -> has_written = 1;
            if
            :: is_mine(job, mine[self]) -> check_holder(job); expired[job] = 0; goto running_job
            :: else -> goto lost
            fi }
    :: atomic { is_free(job) ->
            if
            :: is_mine(job, mine[self]) -> check_holder(job); held[job] = self
            :: else -> goto lost
            fi }
    fi;
    /* The queue row is removed. */
    atomic { is_row_free(job) -> pick_parked(job) }
    /* The finish is committed. */
    atomic {
        if
        :: outcome = FINAL
        :: handbacks > 0 -> handbacks--; attempt[job]--; outcome = QUEUED
        :: attempt[job] < MAX_ATTEMPTS -> outcome = QUEUED
        fi;
#ifdef ALONG
        if
        :: !is_alone -> ending = job; goto along
        :: is_alone = 0
        fi;
#endif
        d_step { end_run(job, outcome); outcome = 0 }
    }
lost:
    atomic { job = NONE; mine[self] = 0; has_written = 0; goto end_idle }
}

/* Every worker's; one stands for all. */
proctype rescuer(byte self) {
    byte i = 0, next = NONE, job = 0, of_user = NONE;

#ifdef EARLY_RESCUE
#define may_rescue(j) (status[j] == RUNNING && is_free(j) && is_row_free(j))
#else
#define may_rescue(j) (status[j] == RUNNING && expired[j] && is_free(j) && is_row_free(j))
#endif
end_idle:
    /* Promise: nobody loses a job whose lease is in force. */
    if
#ifndef NO_RESCUE
    :: atomic { may_rescue(0) -> job = 0; held[0] = self; assert(expired[0]); pick_parked(0); goto rescue }
    :: atomic { may_rescue(1) -> job = 1; held[1] = self; assert(expired[1]); pick_parked(1); goto rescue }
    :: atomic { may_rescue(2) -> job = 2; held[2] = self; assert(expired[2]); pick_parked(2); goto rescue }
#endif
#ifndef NO_NET
    :: atomic { has_parked(0) && !user_runs(0) && !blocks_net(0) -> of_user = 0 }
    :: atomic { has_parked(1) && !user_runs(1) && !blocks_net(1) -> of_user = 1 }
#endif
    fi;
    d_step {
        i = 0;
        do
        :: i < JOBS && next == NONE ->
            if :: is_waiting_parked(i, of_user) && is_free(i) -> next = i; parked[i] = 0 :: else fi;
            i++
        :: else -> break
        od;
        i = 0; next = NONE; of_user = NONE
    }
    goto end_idle;
rescue:
    atomic {
        attempt[job]--;
#ifdef NO_CRASH_BUDGET
        end_run(job, QUEUED);
#else
        if
        :: crashed[job] >= MAX_CRASHES -> end_run(job, FINAL)
        :: else -> crashed[job]++; end_run(job, QUEUED)
        fi;
#endif
        job = 0
    }
    goto end_idle
}

/* A lease may run out at any moment. */
proctype time() {
end_idle:
    if
    :: atomic { status[0] == RUNNING && !expired[0] -> expired[0] = 1 }
    :: atomic { status[1] == RUNNING && !expired[1] -> expired[1] = 1 }
    :: atomic { status[2] == RUNNING && !expired[2] -> expired[2] = 1 }
    fi;
    goto end_idle
}

/* Somebody in psql: cancels, sets to queued, or changes a waiting job's row without changing its status. */
#define may_cancel(j) (cancels > 0 && is_free(j) && status[j] <= RUNNING)
#define may_touch(j) (touches > 0 && is_free(j) && status[j] == QUEUED)
#define may_retry(j) (retries > 0 && is_free(j) && status[j] == FINAL)

inline begin_cancel(j) {
    cancels--;
    held[j] = self
}

inline begin_retry(j) {
    status[j] = QUEUED; attempt[j] = 0; crashed[j] = 0; parked[j] = 0
}

proctype operator(byte self) {
    byte i = 0, next = NONE, job = 0;
    byte cancels = CANCELS, touches = TOUCHES, retries = RETRIES;

end_idle:
    if
    :: atomic { may_cancel(0) -> job = 0; begin_cancel(0); goto cancel }
    :: atomic { may_cancel(1) -> job = 1; begin_cancel(1); goto cancel }
    :: atomic { may_cancel(2) -> job = 2; begin_cancel(2); goto cancel }
    :: atomic { may_touch(0) -> job = 0; touches--; held[0] = self; goto touch }
    :: atomic { may_touch(1) -> job = 1; touches--; held[1] = self; goto touch }
    :: atomic { may_touch(2) -> job = 2; touches--; held[2] = self; goto touch }
    :: atomic { may_retry(0) -> retries--; begin_retry(0) }
    :: atomic { may_retry(1) -> retries--; begin_retry(1) }
    :: atomic { may_retry(2) -> retries--; begin_retry(2) }
    fi;
    goto end_idle;
cancel:
    if
    :: atomic { status[job] != RUNNING -> skip }
    :: atomic { status[job] == RUNNING && is_row_free(job) -> pick_parked(job) }
    fi;
    atomic {
        end_run(job, FINAL);
        job = 0
    }
    goto end_idle;
touch:
    atomic { held[job] = 0; job = 0 }
    goto end_idle
}

/* Nothing can happen any more: every job has ended. */
proctype observer() {
    timeout;
    assert(is_settled(0) && is_settled(1) && is_settled(2))
}

init {
    atomic {
        run worker(1);
        run worker(2);
        run rescuer(3);
        run time();
        run operator(4);
        run observer()
    }
}

/* Promise: no job is lost. */
ltl every_job_ends { <>[] (is_settled(0) && is_settled(1) && is_settled(2)) }
