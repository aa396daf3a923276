import FlowControl
import JobQueue
import Postgres
import ServiceHealth
import Settings
import Telemetry

/// All metrics at one moment: what the workers have counted, what the tables say, what this program knows of itself.
struct MetricsReport: Sendable {
    let samples: [MetricSample]

    /// - Throws: `DatabaseAway`.
    init(_ source: StatusSource) async throws {
        let jobs = source.probes.jobs
        let age = source.heartbeatAge
        let (counted, depth, useful, alerts, pauses, gates, broken, workers, usage) = try await source.probes.read {
            pool in
            let counted = try await pool.workersMetrics()
            let depth = try await pool.queueDepth()
            let useful = try await pool.unlessDenied { try await pool.usefulWorkers() } ?? nil
            let alerts = try await pool.openAlertCounts()
            let pauses = try await pool.pauseCounts()
            let gates = try await pool.closedGates()
            let broken = try await pool.brokenPeers()
            let workers = try await jobs.workers().filter { $0.silence <= age }
            let usage = try await pool.notificationQueueUsage()
            return (counted, depth, useful, alerts, pauses, gates, broken, workers, usage)
        }
        samples =
            counted + MetricDescription.zeros(MetricDescription.ofWorkers, besides: counted) + Self.samples(of: depth)
            + Self.samples(of: useful) + Self.samples(of: alerts) + Self.samples(ofPauses: pauses)
            + Self.samples(of: gates)
            + Self.samples(ofBroken: broken) + Self.samples(of: workers)
            + Self.samples(of: source.health.known()) + Self.samples(of: source.reader.pool.statistics)
            + [
                Self.gauge("sync_notification_queue_usage", usage),
                Self.gauge("sync_build_info", 1, [("version", ServiceVersion.current)]),
            ]
    }

    func text(_ format: PrometheusText.Format) -> String {
        PrometheusText.text(of: samples, MetricDescription.ofWorkers + MetricDescription.ofStatusAPI, format)
    }

    private static func samples(of depth: QueueDepth) -> [MetricSample] {
        [
            gauge("sync_jobs", Double(depth.queued), [("state", "queued")]),
            gauge("sync_jobs", Double(depth.running), [("state", "running")]),
            gauge("sync_jobs_due", Double(depth.due)),
            gauge("sync_oldest_due_job_age_seconds", depth.oldestDueAge.seconds),
            gauge("sync_intents_unknown", Double(depth.unknownWrites)),
        ]
    }

    private static func samples(of useful: UsefulWorkers?) -> [MetricSample] {
        guard let useful else { return [] }
        return [
            gauge("sync_useful_slots", Double(useful.slots)), gauge("sync_useful_workers", Double(useful.workers)),
        ]
    }

    private static func samples(of alerts: [String: Int]) -> [MetricSample] {
        alerts.map { gauge("sync_alerts_open", Double($0.value), [("kind", $0.key)]) }
    }

    private static func samples(ofPauses counts: [String: Int]?) -> [MetricSample] {
        (counts ?? [:]).map { gauge("sync_pauses", Double($0.value), [("scope", $0.key)]) }
    }

    private static func samples(of gates: [[String]: ClosedGates]) -> [MetricSample] {
        gates.flatMap { kind, closed in
            let labels = [("peer", kind[0]), ("scope", kind[1])]
            return [
                gauge("sync_gate_closed_seconds", closed.longest.seconds, labels),
                gauge("sync_gates_closed", Double(closed.count), labels),
            ]
        }
    }

    private static func samples(ofBroken peers: Set<String>?) -> [MetricSample] {
        guard let peers else { return [] }
        return Peer.allCases.map { peer in
            gauge("sync_breaker_open", peers.contains(peer.rawValue) ? 1 : 0, [("peer", peer.rawValue)])
        }
    }

    private static func samples(of workers: [WorkerRecord]) -> [MetricSample] {
        [
            gauge("sync_workers", Double(workers.count)),
            gauge("sync_workers_deaf", Double(workers.count { $0.isListening == false })),
            gauge("sync_worker_slots", Double(workers.reduce(0) { $0 + ($1.isSilent ? 0 : $1.slots) })),
            gauge("sync_worker_slots_used", Double(workers.reduce(0) { $0 + $1.busy })),
        ]
    }

    private static func samples(of states: [Dependency: HealthMonitor.State]) -> [MetricSample] {
        Dependency.listed.compactMap { dependency in
            states[dependency].map {
                gauge("sync_dependency_up", $0.isUp ? 1 : 0, [("dependency", dependency.rawValue)])
            }
        }
    }

    private static func samples(of pool: PostgresPoolStatistics) -> [MetricSample] {
        [
            gauge("sync_status_database_connections", Double(pool.inUse), [("state", "in_use")]),
            gauge("sync_status_database_connections", Double(pool.idle), [("state", "idle")]),
        ]
    }

    private static func gauge(_ name: String, _ value: Double, _ labels: [(String, String)] = []) -> MetricSample {
        MetricSample(name: name, labels: MetricSample.labels(labels), part: .gauge, value: value)
    }
}
