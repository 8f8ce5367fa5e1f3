package ledger

// aboutLogs are the events of a ledger of evidence.
var aboutLogs = map[Event]bool{EvidenceOpened: true, ReadingBegun: true, LogRead: true, LogsCover: true, SignFound: true, ReadingEnded: true}

// evidenceOpened asks that the first entry says of which device it is the
// ledger, and no other one does.
func (a *audit) evidenceOpened(index int64, e *Entry) {
	switch {
	case index != 0:
		a.rep.add(index, "", "a ledger of what logs show is opened behind its first entry")
	case e.Device == "" || EvidenceOf(e.Device) != e.Campaign:
		a.rep.add(index, "", "this ledger is called %s, and opened as that of what logs show of device %q", e.Campaign, e.Device)
	}
}

// again reports whether a sign was told before, in a reading that follows: the
// larger one counts.
func (t *readingTold) again(e *Entry) bool {
	s := e.Reading.Sign
	key := e.Credential + " " + s.Code + " " + string(s.Grade) + " " + s.Rule
	was := t.before[key]
	t.before[key] = t.of.Follows
	return was
}
