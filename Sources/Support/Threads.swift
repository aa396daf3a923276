internal import Foundation

/// The threads that a process may have beside those it has, by the limits of its user, its unit and its container, and
/// by the memory that their stacks take.
package enum Threads {
    /// How many can be there at once, `wanted` at most: begins them and ends them again.
    package static func available(upTo wanted: Int) -> Int {
        let end = DispatchSemaphore(value: 0)
        let ended = DispatchGroup()
        var begun = 0
        while begun < wanted {
            var thread = pthread_t()
            let context = Unmanaged.passRetained(Waiting(end: end, ended: ended)).toOpaque()
            ended.enter()
            let failure = pthread_create(&thread, nil, waitUntilToldToEnd, context)
            guard failure == 0 else {
                Unmanaged<Waiting>.fromOpaque(context).release()
                ended.leave()
                break
            }
            pthread_detach(thread)
            begun += 1
        }
        for _ in 0..<begun { end.signal() }
        ended.wait()
        return begun
    }

    /// With fewer beside the first one a program waits for threads without end, and hears no signal.
    private static let least = 16

    /// Ends the process, with a message and the exit status of a wrong configuration, if it may have too few threads.
    package static func endUnlessEnough(for program: String) {
        let number = available(upTo: least)
        guard number < least else { return }
        let line = Array(
            """
            \(program): This program needs \(least) threads beside its first, and this machine allows it \(number). Raise the limit: ulimit -u \
            and -v in a shell, LimitNPROC=, LimitAS= and TasksMax= in a systemd unit, --pids-limit of a container.\n
            """.utf8
        )
        // There is nobody to tell if that fails.
        _ = write(STDERR_FILENO, line, line.count)
        _exit(78)
    }

    private final class Waiting {
        let end: DispatchSemaphore
        let ended: DispatchGroup

        init(end: DispatchSemaphore, ended: DispatchGroup) {
            self.end = end
            self.ended = ended
        }
    }

    private static let waitUntilToldToEnd: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
        guard let context = $0 else { return nil }
        let waiting = Unmanaged<Waiting>.fromOpaque(context).takeRetainedValue()
        waiting.end.wait()
        waiting.ended.leave()
        return nil
    }
}
