package config

import (
	"unicode/utf8"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// Bounds of what a file says of the incident, in characters: it stands in
// tables, in the subject of letters and in the environment of commands.
const (
	longestNumber   = 64
	longestSeverity = 32
	longestApprover = 128
)

// incident reads the ticket of what happened. Numbers and severities are as the
// ticket system has them: INC0012345 and "1 - Critical", SEC-42 and P1.
func (l *loader) incident(top fields) (out credential.Incident) {
	if !top.has("incident") {
		return out
	}
	f := l.mapping(top.vals["incident"], "incident", "number", "severity", "approved_by")
	if f.required("number", "the number of the incident in your ticket system, for example INC0012345") == "" {
		return out
	}
	text := func(key string, most int) string {
		s := f.oneLine(key)
		switch what := credential.Discloses(s); {
		case what != "":
			f.problem(key, "holds %s: what is said of the incident goes into the ledger, reports and notices; say it in other words, and change that secret", what)
			return ""
		case utf8.RuneCountInString(s) > most:
			f.problem(key, "is longer than %s", plural.Count(most, "character", "characters"))
			return ""
		}
		return s
	}
	out.Number = text("number", longestNumber)
	out.Severity = text("severity", longestSeverity)
	out.ApprovedBy = text("approved_by", longestApprover)
	return out
}
