import Settings

extension JSONValue {
    /// The states of the dependencies as `/health` gives them; `since` says when each was first found as it is.
    static func health(_ states: [Dependency: HealthMonitor.State]) -> JSONValue {
        let members = Dependency.listed.map { dependency in
            Member(key: dependency.rawValue, value: states[dependency]?.isUp == true ? "up" : "down")
        }
        let since = Dependency.listed.map { dependency in
            Member(key: dependency.rawValue, value: .time(states[dependency]?.since))
        }
        return [
            "status": Dependency.areAllUp(states) ? "healthy" : "degraded",
            "service": .string(APIServer.serviceName),
            "version": .string(ServiceVersion.current),
            "dependencies": .object(members),
            "since": .object(since),
        ]
    }
}
