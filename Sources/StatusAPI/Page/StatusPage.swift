import FlowControl
import Foundation
import Hummingbird
import JobQueue
import ServiceHealth
import Settings
import Support

/// The page that shows at a glance how the service is.
enum StatusPage {
    static func response(_ source: StatusSource) async -> Response {
        async let states = source.health.states()
        do {
            var facts = try await source.reader.read { try await ServiceFacts($0) }
            let known = await states
            guard facts.schemaFault == nil else {
                return page(Verdict(facts), known, unreadable).response(.serviceUnavailable)
            }
            // What this program finds itself is newer than what a worker has recorded.
            facts.peerFaults = peerFaults(known)
            let overview = try await Overview(source.reader, facts)
            return page(Verdict(facts), known, sections(overview)).response()
        } catch {
            let fault = (error as? DatabaseAway)?.detail ?? "What the tables hold cannot be read"
            return page(Verdict(databaseAway: fault), await states, unreadable).response(.serviceUnavailable)
        }
    }

    /// In place of the sections.
    private static let unreadable: HTML = """
        <p class="notice">What is known of jobs and workers stands in the database; this page shows it again as soon as it can be \
        read.</p>
        """

    private static func page(
        _ verdict: Verdict,
        _ states: [Dependency: HealthMonitor.State],
        _ content: HTML
    ) -> HTML {
        .document(
            title: "\(verdict.severity < .wrong ? "Healthy" : "Degraded") – sync service",
            """
            <header>
            <h1>Sync service</h1>
            <p>Version \(ServiceVersion.current), <time>\(TimeText.spaced(Date()))</time> UTC</p>
            </header>
            \(VerdictSection.html(verdict))
            \(health(states))
            \(content)
            """
        )
    }

    /// The peers that the cards show as down.
    private static func peerFaults(_ states: [Dependency: HealthMonitor.State]) -> [ServiceFacts.PeerFault] {
        let peers: [(Dependency, Peer)] = [(.keepExtractor, .keepExtractor), (.notionWriter, .notionWriter)]
        return peers.compactMap { dependency, peer in
            guard states[dependency]?.isUp != true else { return nil }
            return ServiceFacts.PeerFault(peer: peer, since: states[dependency]?.since, reason: nil)
        }
    }

    private static func sections(_ overview: Overview) -> HTML {
        [
            queue(overview.facts, overview.useful),
            PauseSection.html(overview.facts.pauses),
            GateSection.html(overview.gates),
            hour(overview.facts.throughput),
            running(overview.running),
            failures(overview.failures),
            workers(overview.facts.workers),
        ].joined()
    }

    private static func health(_ states: [Dependency: HealthMonitor.State]) -> HTML {
        let cards = Dependency.listed.map { dependency -> HTML in
            let state = states[dependency]
            let isUp = state?.isUp == true
            let since: HTML = state?.since.map { "<small>since \(TimeText.spaced($0))</small>" } ?? ""
            return """
                <li id="dependency-\(dependency.rawValue)" class="\(isUp ? "up" : "down")">\
                <span>\(dependency.name)</span> <strong>\(isUp ? "up" : "down")</strong> \(since)</li>
                """
        }
        return """
            <section aria-labelledby="health"><h2 id="health">Health</h2>
            <ul class="cards">\(cards.joined())</ul></section>
            """
    }

    private static func queue(_ facts: ServiceFacts, _ useful: UsefulWorkers?) -> HTML {
        let (depth, waiting) = (facts.depth, facts.waiting)
        let oldest = depth.due > 0 ? DurationText.brief(depth.oldestDueAge) : "none due"
        let gated = waiting.behindPeers.values.reduce(waiting.behindOthers, +)
        return """
            <section aria-labelledby="queue"><h2 id="queue">Queue</h2>
            <dl class="cards">
            <div><dt>Running in workers</dt><dd id="running-count">\(QueueDepth.text(depth.running))</dd></div>
            <div><dt>Queued</dt><dd>\(QueueDepth.text(depth.queued))</dd></div>
            <div><dt>Due now</dt><dd>\(QueueDepth.text(depth.due))</dd></div>
            <div><dt>Oldest due job waits</dt><dd>\(oldest)</dd></div>
            <div><dt>Due later</dt><dd id="later-count">\(WaitingJobs.text(waiting.later))</dd></div>
            <div><dt>Behind a running one</dt><dd id="behind-count">\(WaitingJobs.text(waiting.behindRunning))</dd></div>
            <div><dt>Tried again later</dt><dd id="retrying-count">\(WaitingJobs.text(waiting.retrying))</dd></div>
            <div><dt>Of what is paused</dt><dd id="paused-count">\(WaitingJobs.text(waiting.ofPaused))</dd></div>
            <div><dt>Behind closed gates</dt><dd id="gated-count">\(QueueDepth.text(gated))</dd></div>
            <div><dt>Workers of use now</dt><dd>\(useful.map { "\($0.workers)" } ?? "unknown")</dd></div>
            <div><dt>Writes of unknown outcome</dt><dd>\(QueueDepth.text(depth.unknownWrites))</dd></div>
            </dl></section>
            """
    }

    private static func hour(_ throughput: Throughput) -> HTML {
        """
        <section aria-labelledby="hour"><h2 id="hour">Last hour</h2>
        <div class="plots">
        \(BarPlot(values: throughput.completed, title: "Jobs completed", style: "good").html)
        \(BarPlot(values: throughput.failed, title: "Jobs failed", style: "bad").html)
        </div></section>
        """
    }

    private static func running(_ jobs: [JobRecord]) -> HTML {
        let rows = jobs.map { job -> HTML in
            """
            <tr id="job-\(job.id.description)"><td data-label="Job"><a href="/jobs/\(job.id.description)">\(JobText.brief(job.id))</a></td>\
            <td data-label="User">\(JobText.masked(job.userID))</td><td data-label="Progress">\(JobText.progress(job))</td>\
            <td data-label="Attempt">\(job.attempt) of \(job.maximumAttempts)</td>\
            <td data-label="Worker">\(JobText.worker(job))</td></tr>
            """
        }
        guard !rows.isEmpty else {
            return "<section aria-labelledby=\"running\"><h2 id=\"running\">Running jobs</h2><p>None.</p></section>"
        }
        return """
            <section aria-labelledby="running"><h2 id="running">Running jobs</h2>
            <table><thead><tr><th>Job</th><th>User</th><th>Progress</th><th>Attempt</th><th>Worker</th></tr></thead>
            <tbody>\(rows.joined())</tbody></table></section>
            """
    }

    private static func failures(_ jobs: [JobRecord]) -> HTML {
        let rows = jobs.map { job -> HTML in
            let reason =
                job.isMostlyFailed
                ? "Completed, but \(job.failedNotes) of \(Count.of(job.totalNotes, "note")) failed."
                : job.errorMessage.map { JobText.masked($0, of: job.userID) } ?? "No reason was recorded."
            return """
                <tr id="job-\(job.id.description)"><td data-label="Job"><a href="/jobs/\(job.id.description)">\(JobText.brief(job.id))</a></td>\
                <td data-label="User">\(JobText.masked(job.userID))</td>\
                <td data-label="Ended">\(job.completedAt.map(TimeText.spaced) ?? "")</td>\
                <td data-label="Reason" dir="auto">\(reason)</td></tr>
                """
        }
        guard !rows.isEmpty else {
            return "<section aria-labelledby=\"failures\"><h2 id=\"failures\">Last failures</h2><p>None.</p></section>"
        }
        return """
            <section aria-labelledby="failures"><h2 id="failures">Last failures</h2>
            <table><thead><tr><th>Job</th><th>User</th><th>Ended (UTC)</th><th>Reason</th></tr></thead>
            <tbody>\(rows.joined())</tbody></table></section>
            """
    }

    private static func workers(_ workers: [WorkerRecord]) -> HTML {
        let rows = workers.map { worker -> HTML in
            let seen = "\(DurationText.brief(worker.silence)) ago"
            let isSilent = worker.isSilent
            let held = worker.claimsHeldSince.map { ", claims held since \(TimeText.spaced($0))" }
            let failing = worker.claimsFailingSince.map { ", claims fail since \(TimeText.spaced($0))" }
            return """
                <tr class="\(isSilent ? "down" : "")"><td data-label="Worker">\(worker.label(among: workers))</td>\
                <td data-label="Slots"><meter min="0" max="\(worker.slots)" value="\(worker.busy)"></meter> \
                \(worker.busy) of \(worker.slots) used\(isSilent ? "" : failing ?? held ?? "")</td>\
                <td data-label="Seen">\(isSilent ? "silent, last seen " : "")\(seen)</td>\
                <td data-label="Version">\(worker.version)</td></tr>
                """
        }
        guard !rows.isEmpty else {
            return """
                <section aria-labelledby="workers"><h2 id="workers">Workers</h2>
                <p>None.</p></section>
                """
        }
        return """
            <section aria-labelledby="workers"><h2 id="workers">Workers</h2>
            <table><thead><tr><th>Worker</th><th>Slots</th><th>Seen</th><th>Version</th></tr></thead>
            <tbody>\(rows.joined())</tbody></table></section>
            """
    }
}
