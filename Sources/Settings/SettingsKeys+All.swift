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
        enableNotifications.description, webhookURLs.description, webhookSecrets.description, slackURLs.description,
        pagerDutyKeys.description, pagerDutyURL.description, topics.description, emailRecipients.description,
        emailSender.description, alertKindsOff.description, alertSource.description, alertUserFailures.description,
        alertUserNotSyncedAfter.description, alertPeerDownAfter.description, alertGroupWait.description,
        alertRepeatAfter.description, alertChannelLimit.description, alertCheckInterval.description,
        alertTimeout.description, alertAttempts.description, alertAllowPrivateHosts.description,
        awsRegion.description, awsDefaultRegion.description, awsAccessKeyID.description,
        awsSecretAccessKey.description, awsSessionToken.description, awsEndpoint.description,
        awsEndpointSNS.description, awsEndpointSES.description,
        logFormat.description, logLevel.description,
        serviceHost.description, servicePort.description, intakeToken.description,
        stateDirectory.description, stateHome.description, home.description,
    ]
}
