package cli

import (
	"fmt"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/profile"
)

// checkAnswers says whether each line of the device's profile has an answer.
// roll is nil where it could not be listed: the file is taken at its word then.
func checkAnswers(cfg *config.Campaign, roll *credential.Roll, now time.Time) doctorRow {
	row := doctorRow{Where: "profile", What: "answers", OK: true}
	if cfg.Profile == nil {
		row.Detail = "the campaign file names no profile, so kinds that no source finds are not asked about: `rollcall profiles list`"
		return row
	}
	acc := profile.AccountOffline(cfg.Profile, cfg.AnswersFile, cfg.Answers, now)
	if roll != nil {
		acc = roll.Profile
	}
	row.Detail = answeredCount(acc) + ", in " + cfg.AnswersFile
	if cfg.Answers == nil {
		row.Detail = answeredCount(acc) + "; " + cfg.AnswersFile + " is not there"
	}
	if roll == nil {
		row.Detail += " (the sources were not asked)"
	}
	var later, open []string
	for _, l := range acc.Later() {
		later = append(later, fmt.Sprintf("%s (%s, due %s)", l.Line, l.Owner, l.Due.Format(time.DateOnly)))
	}
	for _, l := range acc.Open() {
		open = append(open, l.Line)
	}
	if len(later) > 0 {
		row.Detail += "; left for later: " + strings.Join(later, ", ")
	}
	if len(open) > 0 {
		row.OK = false
		row.Detail += "; open: " + strings.Join(open, ", ")
		row.Do = "`rollcall answers check` says what is asked of each; no campaign begins before"
		if cfg.Answers == nil {
			row.Do = "`rollcall answers init` writes " + cfg.AnswersFile + " with a question for each; no campaign begins before they are answered"
		}
	}
	return row
}
