import ChaosChecker
import Foundation
import TestSupport

/// The places of the workers; in each there is one process at most, and another after it.
actor Fleet {
    private let surroundings: Worker.Surroundings
    private var places: [Worker?]
    private var generations = 0
    private(set) var all: [Worker] = []
    private(set) var continuations: [History.Continuation] = []

    init(size: Int, surroundings: Worker.Surroundings) {
        self.surroundings = surroundings
        places = Array(repeating: nil, count: size)
    }

    func start(_ place: Int) async throws {
        generations += 1
        let worker = try await Worker.start("w\(place)-\(generations)", in: surroundings)
        places[place] = worker
        all.append(worker)
    }

    func startAll() async throws {
        for place in places.indices { try await start(place) }
    }

    /// The worker of a place, if it is up.
    func worker(_ choice: Int) -> (place: Int, worker: Worker)? {
        let place = choice % places.count
        guard let worker = places[place], worker.isUp else { return nil }
        return (place, worker)
    }

    /// Takes the worker out of its place, so that nobody else takes it down.
    func take(_ choice: Int, onlyReady: Bool = false) -> (place: Int, worker: Worker)? {
        guard let found = worker(choice), !onlyReady || found.worker.isReady else { return nil }
        places[found.place] = nil
        return found
    }

    func goOn(_ worker: Worker) {
        let now = Clock.now
        if worker.goOn() { continuations.append(History.Continuation(worker: worker.name, at: now)) }
    }

    /// Ends every disturbance that is still there, and fills the places.
    func heal() async throws {
        for worker in all where worker.run.exit == nil {
            goOn(worker)
            worker.heal()
        }
        for place in places.indices where places[place]?.isUp != true { try await start(place) }
        // One that is asked to stop before it has looked at its signals ends by the signal.
        for worker in places.compactMap({ $0 }) { try await worker.run.waitForLine(containing: "Ready.") }
    }

    func stopAll() async {
        let workers = places.compactMap { $0 }
        await withTaskGroup(of: Void.self) { group in
            for worker in workers {
                group.addTask { await worker.stop(within: .seconds(15), mustEnd: true) }
            }
        }
    }

    func unplug() async {
        for worker in all {
            if worker.run.exit == nil { await worker.kill() }
            await worker.unplug()
        }
    }
}
