import ChaosChecker

/// A history made by hand: one user, one note, one job, in which all is well until a test spoils it.
struct CraftedHistory {
    var history: History
    private var lastNumber = 0

    static let text = "TEXT-1-0-1 private"
    static let title = "TITLE-1-0-1 private"
    static let expiry: History.Instant = 3_000_000

    init(honoursKeys: Bool = true) {
        history = History(
            arrangement: History.Arrangement(
                seed: 1,
                honoursKeys: honoursKeys,
                recreatesTrashed: false,
                databases: ["ada": "db-ada"],
                operators: ["test"],
                refusedTitle: "REFUSED",
                secrets: [History.Secret(name: "the text of a note", value: "TEXT-1-")]
            )
        )
        history.versions = [History.NoteVersion(note: "n1", at: 50, title: Self.title, content: Self.text)]
        insertJob("j1", at: 100)
        history.finalJobs = ["ada": "j1"]
        claim("j1", by: "w1", lease: 1, at: 200)
        write("n1", page: "p1", key: "k1", by: "w1", lease: 1, at: 300)
        finish("j1", by: "w1", lease: 1, at: 900, status: "completed")
        history.jobs[0].total = 1
        history.jobs[0].processed = 1
    }

    /// Rules that the checker finds broken.
    var broken: Set<Violation.Rule> { Set(Checker(history).verdict().violations.map(\.rule)) }

    var figures: Figures { Checker(history).verdict().figures }

    // MARK: Events

    static func job(_ job: String, _ status: String, lease: Int? = nil, worker: String? = nil) -> History.Row {
        var row = History.Row()
        row.job = job
        row.user = "ada"
        row.status = status
        row.lease = lease
        row.leaseExpiresAt = lease == nil ? nil : expiry
        row.worker = worker
        row.crashes = 0
        return row
    }

    static func intent(_ note: String, key: String, lease: Int, operation: String = "create") -> History.Row {
        var row = History.Row()
        row.user = "ada"
        row.note = note
        row.operation = operation
        row.key = key
        row.lease = lease
        row.unknownCount = 0
        row.request = lease
        return row
    }

    static func state(_ note: String, page: String) -> History.Row {
        var row = History.Row()
        row.user = "ada"
        row.note = note
        row.page = page
        return row
    }

    mutating func change(
        _ table: String,
        _ operation: String,
        old: History.Row? = nil,
        new: History.Row? = nil,
        by: String,
        at: History.Instant,
        held: History.Held? = nil,
        transaction: Int? = nil
    ) {
        lastNumber += 1
        history.changes.append(
            History.Change(
                number: lastNumber,
                at: at,
                transaction: transaction ?? lastNumber,
                by: by,
                table: table,
                operation: operation,
                old: old,
                new: new,
                held: held
            )
        )
    }

    mutating func insertJob(_ job: String, at: History.Instant, status: String = "completed") {
        change("sync_jobs", "INSERT", new: Self.job(job, "queued"), by: "test", at: at)
        history.jobs.append(History.JobRow(job: job, user: "ada", status: status))
    }

    mutating func claim(
        _ job: String,
        by worker: String,
        lease: Int,
        at: History.Instant,
        isFullSync: Bool = false
    ) {
        var new = Self.job(job, "running", lease: lease, worker: worker)
        new.isFullSync = isFullSync
        change("sync_jobs", "UPDATE", old: Self.job(job, "queued"), new: new, by: worker, at: at)
    }

    mutating func finish(_ job: String, by worker: String, lease: Int, at: History.Instant, status: String) {
        let old = Self.job(job, "running", lease: lease, worker: worker)
        change("sync_jobs", "UPDATE", old: old, new: Self.job(job, status), by: worker, at: at)
    }

    /// The lease has run out, and another worker gives the job to the queue again.
    mutating func rescue(_ job: String, of worker: String, lease: Int, by rescuer: String, at: History.Instant) {
        var new = Self.job(job, "queued")
        new.crashes = 1
        new.rescuedLease = lease
        let old = Self.job(job, "running", lease: lease, worker: worker)
        change("sync_jobs", "UPDATE", old: old, new: new, by: rescuer, at: at)
    }

    /// Intent, request, page and record of a create, 100 µs apart.
    mutating func write(
        _ note: String,
        page: String,
        key: String,
        by worker: String,
        lease: Int,
        at: History.Instant
    ) {
        let held = History.Held(job: "j1", lease: lease, worker: worker)
        change("sync_intents", "INSERT", new: Self.intent(note, key: key, lease: lease), by: worker, at: at, held: held)
        create(page, key: key, worker: worker, at: at + 100)
        settle(note, page: page, key: key, by: worker, lease: lease, at: at + 200)
    }

    mutating func settle(
        _ note: String,
        page: String,
        key: String,
        by worker: String,
        lease: Int,
        at: History.Instant
    ) {
        let held = History.Held(job: "j1", lease: lease, worker: worker)
        change("sync_intents", "DELETE", old: Self.intent(note, key: key, lease: lease), by: worker, at: at, held: held)
        change("sync_state", "INSERT", new: Self.state(note, page: page), by: worker, at: at, held: held)
        history.states.removeAll { $0.note == note }
        history.states.append(History.StateRow(user: "ada", note: note, page: page))
    }

    /// A request to create a page, which is carried out.
    mutating func create(_ page: String, key: String, worker: String = "w1", at: History.Instant) {
        var call = History.Call(number: history.calls.count, operation: "create", receivedAt: at)
        call.idempotencyKey = key
        call.effect = "created"
        call.effectPageID = page
        call.workedAt = at + 50
        call.endedAt = at + 60
        history.calls.append(call)
        history.sends.append(History.Send(worker: worker, user: "ada", at: at - 1, text: String(Self.text.prefix(11))))
        history.pages.append(
            History.Page(
                id: page,
                databaseID: "db-ada",
                title: Self.title,
                appended: [Self.text],
                idempotencyKeys: [key]
            )
        )
    }

    /// The outcome of a create is recorded as unknown.
    mutating func markUnknown(_ note: String, key: String, lease: Int, by worker: String, at: History.Instant) {
        let old = Self.intent(note, key: key, lease: lease)
        var new = old
        new.unknownCount = 1
        new.unknownAt = at
        let held = History.Held(job: "j1", lease: lease, worker: worker)
        change("sync_intents", "UPDATE", old: old, new: new, by: worker, at: at, held: held)
    }

    /// Whatever was open of a note is settled later; what it may have made is on a list.
    mutating func settleLater(_ note: String, isListed: Bool = true, at: History.Instant = 9_000_000) {
        var old = Self.intent(note, key: "any", lease: 0)
        old.request = 4711
        change("sync_intents", "DELETE", old: old, by: "test", at: at)
        if isListed { change("sync_unheard_requests", "INSERT", new: old, by: "test", at: at) }
    }

    /// The outcome of an update is recorded as unknown.
    mutating func markUpdateUnknown(_ note: String, page: String, hash: String, at: History.Instant) {
        var old = Self.intent(note, key: "u\(at)", lease: 1, operation: "update")
        old.page = page
        old.hash = hash
        var new = old
        new.unknownCount = 1
        new.unknownAt = at
        let held = History.Held(job: "j1", lease: 1, worker: "w1")
        change("sync_intents", "UPDATE", old: old, new: new, by: "w1", at: at, held: held)
    }

    /// An update of the page of the first note, with its intent.
    mutating func update(_ text: String, hash: String? = nil, page: String = "p1", at: History.Instant) {
        var intent = Self.intent("n1", key: "u\(at)", lease: 1, operation: "update")
        intent.page = page
        intent.hash = hash
        let held = History.Held(job: "j1", lease: 1, worker: "w1")
        change("sync_intents", "INSERT", new: intent, by: "w1", at: at, held: held)
        change("sync_intents", "DELETE", old: intent, by: "w1", at: at + 20, held: held)
        var call = History.Call(number: history.calls.count, operation: "update", receivedAt: at + 10)
        call.pageID = page
        call.content = text
        call.effect = "updated"
        call.effectPageID = page
        history.calls.append(call)
        history.sends.append(History.Send(worker: "w1", user: "ada", at: at + 5, text: String(text.prefix(11))))
        if let index = history.pages.firstIndex(where: { $0.id == page }) { history.pages[index].appended.append(text) }
    }
}
