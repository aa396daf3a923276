import FlowControl
import JobQueue
import ServiceHealth
import Support

/// Tells whoever has made jobs due of what keeps them from running all the same, so that nobody waits in vain.
struct WaitNotice {
    let jobs: JobClient

    /// Jobs that are looked at, and lines at most: what keeps many jobs mostly keeps all of them.
    static let limit = 50
    private static let lines = 5

    /// A line on stderr for each thing that jobs wait for, with what to do; nothing where nothing is wrong.
    ///
    /// - Parameter gates: those besides the peers' that a job has waited for, by name.
    func tell(_ made: [(id: JobID, gates: [String])]) async {
        var waits: [(text: String, advice: String, jobs: [JobID])] = []
        for (id, gates) in made.prefix(Self.limit) {
            // The jobs are due, whether or not the rest can be found out.
            for hold in (try? await jobs.holds(on: id, behind: Peer.gates + gates)) ?? [] {
                guard let advice = hold.advice else { continue }
                if let index = waits.firstIndex(where: { $0.text == hold.text }) {
                    waits[index].jobs.append(id)
                } else {
                    waits.append((hold.text, advice, [id]))
                }
            }
        }
        for wait in waits.prefix(Self.lines) {
            let isOne = wait.jobs.count == 1
            let subject = isOne ? "Job \(wait.jobs[0]) waits" : "\(Count.of(wait.jobs.count, "job")) wait"
            let end = wait.text.hasSuffix(".") ? "" : "."
            StandardStream.error.note("\(subject) for \(wait.text)\(end) \(wait.advice)")
        }
    }
}
