import Alerts
import CurlHTTP
import FlowControl
import Foundation
import NoteSync
import Postgres
import ServiceHealth
import Settings

/// What can be checked from this machine: the key, the peers, the temporary folder.
struct MachineChecks: Sendable {
    let settings: DoctorSettings

    /// How the peers answer from here.
    struct Peers: Sendable {
        let lines: [CheckLine]
        /// Those that do not say that they are well; nil: of one at least nothing is known from here.
        let faults: [ServiceFacts.PeerFault]?
    }

    /// Asks both peers, each for a few seconds at most. An address that nobody has set here, and where nobody answers,
    /// need not be the workers'.
    func peers() async -> Peers {
        let http = HTTPClient(
            configuration: HTTPClientConfiguration(
                userAgent: "sync-service/\(ServiceVersion.current)",
                certificateAuthorityFile: settings.peers.certificateFile
            )
        )
        defer { http.shutdown() }
        let probe = PeerProbe(http: http)
        async let keep = fault(of: .keepExtractor, settings.peers.keepExtractorURL, probe)
        async let notion = fault(of: .notionWriter, settings.peers.notionWriterURL, probe)
        let all = [
            (Peer.keepExtractor, "KEEP_EXTRACTOR_URL", settings.peers.keepExtractorURL, await keep),
            (Peer.notionWriter, "NOTION_WRITER_URL", settings.peers.notionWriterURL, await notion),
        ]
        var lines: [CheckLine] = []
        var faults: [ServiceFacts.PeerFault] = []
        var isComplete = true
        for (peer, variable, url, fault) in all {
            let isSet = ProcessInfo.processInfo.environment[variable]?.isEmpty == false
            switch fault {
            case nil: lines.append(.ok("peers", "The \(peer.name) says that it is well (\(url)/health)"))
            case .some(let fault) where isSet:
                faults.append(
                    ServiceFacts.PeerFault(
                        peer: peer,
                        since: nil,
                        reason: "GET \(url)/health from here: \(fault.reason)"
                    )
                )
            case .some:
                isComplete = false
                lines.append(
                    .notChecked(
                        "peers",
                        "\(variable) is not set here, and nobody answers at \(url); run this with the variables of the workers"
                    )
                )
            }
        }
        return Peers(lines: lines, faults: isComplete ? faults : faults.isEmpty ? nil : faults)
    }

    private func fault(of peer: Peer, _ url: String, _ probe: PeerProbe) async -> PeerProbe.Fault? {
        await probe.fault(of: AlertRules.Peer(name: peer.rawValue, url: url, silentAfter: .zero))
    }

    /// The folder of fetched lists. A disk that hangs holds up this check alone.
    var temporaryFolder: Check {
        let largest = settings.peers.maximumFetchBytes
        return Check("temporary_folder", limit: .seconds(4)) {
            do {
                if let warning = try TemporaryFolder.check(maximumFetchBytes: largest) {
                    return [CheckLine(check: "temporary_folder", outcome: .warning, sentence: warning)]
                }
                return [.ok("temporary_folder", "The temporary folder of this machine takes the largest list of notes")]
            } catch let error as NoteSyncError {
                return [CheckLine(check: "temporary_folder", outcome: .wrong, sentence: "\(error)")]
            }
        }
    }

    /// Whether the key that this command has opens what is stored, as a worker looks at its start.
    func key(_ session: DatabaseSession) -> Check {
        Check("key") {
            do {
                _ = try await session.credentialStore(tellsOrigin: false)
            } catch let error as SyncControlError {
                return [.notChecked("key", error.message)]
            }
            return switch try await session.opensWhatIsStored() {
            case true?: [.ok("key", "AWS_ENCRYPTION_KEY opens what is stored")]
            case false?:
                [
                    CheckLine(
                        check: "key",
                        outcome: .wrong,
                        sentence:
                            "AWS_ENCRYPTION_KEY as this command has it opens nothing of what is stored, and a worker that has the same ends at once",
                        advice:
                            "Start the workers with the key in use in place of KEY; if nobody has it: syncctl credentials forget-keys --help",
                        command: "AWS_ENCRYPTION_KEY=KEY sync-worker"
                    )
                ]
            case nil:
                [.notChecked("key", "nothing is stored that tells, or this role may not read it")]
            }
        }
    }
}
