import ChaosChecker
import CurlHTTP
import Foundation
import Postgres
import TestSupport

extension ChaosRun {
    /// Makes every attack of the plan at its time, and returns when the last is over.
    func attack() async {
        let began = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for step in plan.steps {
                let wait = began + .milliseconds(step.at) - .now
                if wait > .zero { await Clock.pause(milliseconds: Int(wait / .milliseconds(1))) }
                switch step.attack {
                case .editNote, .createNote, .trashNote: await make(step.attack)
                default: group.addTask { await self.make(step.attack) }
                }
            }
        }
    }

    /// Makes one attack. What can't be done because of another, as with the database away, is left.
    private func make(_ attack: Attack) async {
        do {
            note("begin \(attack)")
            let isDone = try await apply(attack)
            note("\(isDone ? "end" : "nothing to do") \(attack)")
            if isDone { count(attack) }
        } catch is PostgresError {
            return
        } catch is CurlHTTPError {
            return
        } catch {
            FileHandle.standardError.write(Data("seed \(plan.seed): \(attack.kind): \(error)\n".utf8))
        }
    }

    /// - Returns: whether there was something to do it to.
    private func apply(_ attack: Attack) async throws -> Bool {
        switch attack {
        case .kill, .pause, .stop: try await applyToProcess(attack)
        case .terminateBackends, .terminateOneBackend, .restartDatabase, .failOver, .readOnly, .limitStatements,
            .cancelStatements, .loseClaim, .refuseEnd:
            try await applyToDatabase(attack)
        case .cut, .delay, .hold, .refuse, .silence: await applyToWire(attack)
        case .faults, .forgetSessions, .unshare, .revoke, .trashPage, .removePage: try await applyToPeers(attack)
        default: try await applyByPeople(attack)
        }
    }

    private func applyToProcess(_ attack: Attack) async throws -> Bool {
        switch attack {
        case .kill(let choice, let down):
            guard let (place, worker) = await fleet.take(choice) else { return false }
            let began = Clock.now
            await worker.kill()
            // Whatever it had sent, nobody hears out any more.
            disturb(worker.name, from: began, until: .max - 1_000_000_000)
            await Clock.pause(milliseconds: down)
            try await fleet.start(place)
        case .pause(let choice, let length):
            guard let (_, worker) = await fleet.worker(choice), worker.isReady, worker.pause() else { return false }
            let began = Clock.now
            await Clock.pause(milliseconds: length)
            await fleet.goOn(worker)
            disturb(worker.name, from: began, until: Clock.now)
        case .stop(let choice, let down):
            guard let (place, worker) = await fleet.take(choice, onlyReady: true) else { return false }
            // Cut off from the database it can take longer than anybody wants to wait; then it is killed, as a
            // supervisor would.
            disturb(worker.name, from: Clock.now, until: .max - 1_000_000_000)
            await worker.stop(within: .seconds(8), mustEnd: false)
            await Clock.pause(milliseconds: down)
            try await fleet.start(place)
        default: return false
        }
        return true
    }

    private func applyToWire(_ attack: Attack) async -> Bool {
        let began = Clock.now
        // The extractor's wire carries no answer to a write.
        guard let (wire, choice) = attack.wire, let worker = await fleet.worker(choice)?.worker else { return false }
        let links = worker.links(wire)
        guard links.allSatisfy({ $0.state.condition == .pass }) else { return false }
        var sparesNew = false
        if case .silence = attack {
            // What takes the place of silent connections is to be heard, or everything could be excused.
            guard worker.beginSilence(wire) || plan.attackers != .routers else { return false }
            sparesNew = true
        }
        defer { if wire != .extractor { disturb(worker.name, from: began, until: Clock.now, sparesNew: sparesNew) } }
        func set(_ condition: FaultyLink.Condition) {
            for link in links { link.set(condition) }
        }
        switch attack {
        case .cut: links.forEach { $0.cut() }
        case .delay(_, _, let milliseconds, let length):
            set(.delay(milliseconds: milliseconds))
            await Clock.pause(milliseconds: length)
            set(.pass)
        case .hold(_, _, let length, let thenReset):
            set(.hold)
            await Clock.pause(milliseconds: length)
            // Either the way is found again and all arrives late, or one side has given up.
            if thenReset { links.forEach { $0.cut() } }
            set(.pass)
        case .refuse(_, _, let length):
            links.forEach { $0.cut() }
            set(.refuse)
            await Clock.pause(milliseconds: length)
            set(.pass)
        case .silence(_, _, let length, let thenReset):
            defer { worker.endSilence(wire) }
            links.forEach { $0.swallow() }
            await Clock.pause(milliseconds: length)
            links.forEach { $0.endSilence(byReset: thenReset) }
        default: return false
        }
        return true
    }

    private func applyToPeers(_ attack: Attack) async throws -> Bool {
        switch attack {
        case .faults(let rules, let length):
            try await peers.setFaults(lastingRules + rules.mapEach(rule))
            await Clock.pause(milliseconds: length)
            try await peers.setFaults(lastingRules)
        case .forgetSessions: try await peers.forgetSessions()
        case .unshare(let choice, let length):
            let database = databaseID(of: users[choice % users.count])
            try await peers.changeDatabase(database, "unshare")
            await Clock.pause(milliseconds: length)
            try await peers.changeDatabase(database, "share")
        case .revoke(let choice, let length):
            let token = secrets.notionToken(of: users[choice % users.count])
            try await peers.changeToken(token, "revoke")
            await Clock.pause(milliseconds: length)
            try await peers.changeToken(token, "restore")
        case .trashPage(let choice): return try await changePage(choice, "trash", "trash")
        case .removePage(let choice, let asBlock):
            return try await changePage(choice, "remove", asBlock ? "remove?as=block" : "remove")
        default: return false
        }
        return true
    }

    private func changePage(_ choice: Int, _ change: String, _ path: String) async throws -> Bool {
        let pages = try await peers.pages().filter { $0.state == "live" }
        guard !pages.isEmpty else { return false }
        let page = pages[choice % pages.count].id
        try await peers.changePage(page, path)
        remember(History.PageEvent(page: page, change: change, at: Clock.now))
        return true
    }

    private func rule(_ fault: PeerFault) async -> String {
        var match = ""
        var said = ""
        if let echo = fault.echo {
            let user = users[echo.user % users.count]
            said = "\(secrets.googleToken(of: user)) \(secrets.notionToken(of: user))"
            if fault.peer == "writer" {
                match = "\"database_id\":\(json(databaseID(of: user)))"
                if let note = echo.note {
                    let words = await notebook.words(note)
                    said += " \(words.title) \(words.text)"
                    match += ",\"content_contains\":\(json(words.text))"
                }
            } else {
                match = "\"username\":\(json(user))"
            }
        }
        let spoken = fault.fault.replacing("ECHO", with: json(said).dropFirst().dropLast())
        return """
            {"peer":"\(fault.peer)","operation":"\(fault.operation)","probability":\(fault.probability),\
            "match":{\(match)},"fault":{\(spoken)}}
            """
    }

    private func json(_ text: String) -> String {
        // A string is always JSON.
        String(decoding: (try? JSONEncoder().encode(text)) ?? Data(), as: UTF8.self)
    }

    /// Gives a user another database, once: pages in the one before say nothing about it.
    private func moveDatabase(of user: String) async throws {
        guard beginMoving(user) else { return }
        try await ledger.setDatabase(databaseID(of: user), of: user)
    }

    private func applyByPeople(_ attack: Attack) async throws -> Bool {
        switch attack {
        case .insertJob(let choice, let full):
            let id = UUID()
            try await ledger.insertJob(id, user: users[choice % users.count], full: full)
            acknowledge(id)
        case .cancelJob(let choice): try await ledger.cancelJob(choice)
        case .retryJob(let choice): try await ledger.retryJob(choice)
        case .reinsertJob(let choice): try await ledger.reinsertJob(choice)
        case .sql(let statement, let choice, let length):
            let user = users[choice % users.count]
            return try await ledger.run(statement, choice, user: user, for: length) { self.remember($0) }
        case .deleteState(let choice): try await ledger.deleteStates(of: users[choice % users.count])
        case .deleteOneState(let choice): try await ledger.deleteState(choice)
        case .moveDatabase(let choice): try await moveDatabase(of: users[choice % users.count])
        case .editNote(let choice, let changesTitle):
            try await notebook.edit(choice, changesTitle: changesTitle)
        case .createNote: try await notebook.create()
        case .trashNote(let choice): try await notebook.trash(choice)
        default: return false
        }
        return true
    }
}

extension Array {
    fileprivate func mapEach<Value>(_ transform: (Element) async -> Value) async -> [Value] {
        var values: [Value] = []
        for element in self { values.append(await transform(element)) }
        return values
    }
}
