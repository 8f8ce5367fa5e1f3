package wire

// Activities by name: the methods of activities.Rotation, which rotation
// workers serve.
const (
	DoList          = "List"
	DoOpenScheduled = "OpenScheduled"
	DoTakeOver      = "TakeOver"
	DoSignOfLife    = "SignOfLife"
	DoCloseCampaign = "CloseCampaign"
	DoPrepare       = "Prepare"
	DoApply         = "Apply"
	DoClean         = "Clean"
	DoRecheck       = "Recheck"
	DoAskDevice     = "AskDevice"
	DoLookForTokens = "LookForTokens"
	DoWatchDevice   = "WatchDevice"
	DoOpenTasks     = "OpenTasks"
	DoCloseTasks    = "CloseTasks"
	DoAskTaskDoors  = "AskTaskDoors"
	DoRelist        = "Relist"
	DoAmend         = "Amend"
)

// Those of activities.Ledger, which the ledger's one worker serves.
const (
	DoRecordRoll       = "RecordRoll"
	DoRecordIntents    = "RecordIntents"
	DoRecordResults    = "RecordResults"
	DoRecordExceptions = "RecordExceptions"
	DoRecordEvent      = "RecordEvent"
	DoProved           = "Proved"
	DoRecordRechecked  = "RecordRechecked"
	DoRecordCleaned    = "RecordCleaned"
	DoRecordTasks      = "RecordTasks"
	DoLookAtTasks      = "LookAtTasks"
	DoRemindOfTasks    = "RemindOfTasks"
	DoLeaveTasks       = "LeaveTasks"
	DoRecordTaskDoors  = "RecordTaskDoors"
	DoUntouched        = "Untouched"
	DoRecordTakenUp    = "RecordTakenUp"
	DoRecordActivated  = "RecordActivated"
)
