package report

import (
	"maps"
	"slices"
	"time"

	"rollcall/internal/ledger"
)

// InZone is the same state with its times in a time zone. Text and HTML show
// each time in the zone that it is in, with the offset; JSON and CSV are in UTC
// whatever the zone, and days on which something is due stay the days that
// people wrote.
func InZone(s *ledger.State, zone *time.Location) *ledger.State {
	in := func(t time.Time) time.Time {
		if t.IsZero() {
			return t // no zone makes a time of none
		}
		return t.In(zone)
	}
	out := *s.ShownAs(func(l *ledger.CredentialState) *ledger.CredentialState {
		if zone == time.UTC && allUTC(l) {
			return l
		}
		return credentialInZone(l, zone, in)
	})
	out.StartedAt, out.ClosedAt, out.LatestAt = in(s.StartedAt), in(s.ClosedAt), in(s.LatestAt)
	out.LeftOut, out.Accepted = slices.Clone(s.LeftOut), slices.Clone(s.Accepted)
	for i, l := range s.LeftOut {
		out.LeftOut[i].At = in(l.At)
	}
	for i, l := range s.Accepted {
		out.Accepted[i].At = in(l.At)
	}
	out.OpenAccepted = acceptanceInZone(s.OpenAccepted, in)
	out.TookOver, out.Actions = slices.Clone(s.TookOver), slices.Clone(s.Actions)
	for i, t := range s.TookOver {
		out.TookOver[i].Ended = in(t.Ended)
	}
	for i, a := range s.Actions {
		out.Actions[i].At = in(a.At)
	}
	if c := s.Containment; c != nil {
		copied := *c
		copied.At, copied.AskedAt = in(c.At), in(c.AskedAt)
		out.Containment = &copied
	}
	return &out
}

// allUTC reports whether there is nothing to do for a credential to be in UTC.
func allUTC(l *ledger.CredentialState) bool {
	times := []time.Time{l.Since, l.Until, l.Own.Since, l.Unseen, l.SetAt, l.AnnouncedAt, l.ActivatedAt, l.DeadAt, l.Due}
	if l.DeadBefore != nil {
		times = append(times, l.DeadBefore.At)
	}
	if l.Accepted != nil {
		times = append(times, l.Accepted.At, l.Accepted.Due)
	}
	for _, at := range l.Written {
		times = append(times, at)
	}
	return !slices.ContainsFunc(times, func(t time.Time) bool { return t.Location() != time.UTC })
}

func credentialInZone(l *ledger.CredentialState, zone *time.Location, in func(time.Time) time.Time) *ledger.CredentialState {
	out := *l
	out.Since, out.Until, out.SetAt, out.DeadAt = in(l.Since), in(l.Until), in(l.SetAt), in(l.DeadAt)
	out.Own.Since, out.Unseen = in(l.Own.Since), in(l.Unseen)
	out.AnnouncedAt, out.ActivatedAt = in(l.AnnouncedAt), in(l.ActivatedAt)
	out.Written = maps.Clone(l.Written)
	for path, at := range l.Written {
		out.Written[path] = in(at)
	}
	out.Evidence = slices.Clone(l.Evidence)
	for i, ev := range l.Evidence {
		out.Evidence[i].At = restamp(ev.At, zone)
	}
	out.AtDoors = slices.Clone(l.AtDoors)
	for i, ev := range l.AtDoors {
		out.AtDoors[i].At = restamp(ev.At, zone)
	}
	if b := l.DeadBefore; b != nil {
		copied := *b
		copied.At = in(b.At)
		out.DeadBefore = &copied
	}
	out.Accepted, out.Due = acceptanceInZone(l.Accepted, in), in(l.Due)
	return &out
}

func acceptanceInZone(a *ledger.Acceptance, in func(time.Time) time.Time) *ledger.Acceptance {
	if a == nil {
		return nil
	}
	out := *a
	out.At, out.Due = in(a.At), in(a.Due)
	return &out
}

// zoneOf is the zone of a state: that of its latest entry.
func zoneOf(s *ledger.State) *time.Location { return s.LatestAt.Location() }

// restamp writes a time that is text in a zone. What is no time stays as it is.
func restamp(text string, zone *time.Location) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || zone == time.UTC {
		return text
	}
	return t.In(zone).Format("2006-01-02T15:04:05.000Z07:00")
}

// tasksFor are the tasks of a state as of now, with times in its zone.
func tasksFor(s *ledger.State, now time.Time) []StatusTask {
	tasks, zone := tasksOf(s, now), zoneOf(s)
	for i := range tasks {
		t := &tasks[i]
		for _, text := range []*string{&t.Due, &t.OpenedAt, &t.RenewedAt, &t.RemindedAt} {
			*text = restamp(*text, zone)
		}
		for j := range t.Ends {
			t.Ends[j].At = restamp(t.Ends[j].At, zone)
		}
	}
	return tasks
}

// clock is a time for people, with its zone; empty for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05Z07:00")
}

// moment is clock to the millisecond.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05.000Z07:00")
}
