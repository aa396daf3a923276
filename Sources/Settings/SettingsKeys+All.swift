extension SettingsKeys {
    /// Every variable, by group, in the order of the tables.
    public static let all: [SettingDescription] = [
        databaseURL.description, databaseConnections.description,
        keepExtractorURL.description, notionWriterURL.description, keepExtractorTimeout.description,
        keepAuthTimeout.description, notionWriterTimeout.description, modifiedSinceFormat.description,
        certificateFile.description, maximumNoteBytes.description, maximumFetchBytes.description,
        workerName.description, workerConcurrency.description, lease.description, pollInterval.description,
        shutdownGrace.description, jobRetention.description, jobBackoffBase.description,
        jobBackoffCap.description,
        noteConcurrency.description, workerNoteConcurrency.description, noteLimit.description,
        noteAttempts.description, noteBackoffBase.description, noteBackoffCap.description,
        cursorLookback.description, unknownCreates.description, trashedPages.description,
        encryptionKey.description, stateFolder.description,
        enableNotifications.description, notificationWebhookURL.description,
        logFormat.description, logLevel.description,
        serviceHost.description, servicePort.description,
        stateDirectory.description, stateHome.description, home.description,
    ]
}
