package workflows

import (
	"rollcall/activities"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// batches cuts the runs of a wave into batches of at most size credentials. It depends
// on its arguments alone: a wave that continues as new cuts the same.
func batches(roll activities.Roll, wave vault.WaveIndex, size, concurrency int) []activities.Batch {
	var out []activities.Batch
	for _, run := range wave.Runs {
		for from := run.From; from < run.To; from += size {
			out = append(out, activities.Batch{
				Campaign: roll.Campaign, Snapshot: roll.Snapshot,
				Authority: run.Authority, Kind: run.Kind, Concurrency: concurrency,
				Span: credential.Span{Page: run.Page, From: from, To: min(from+size, run.To)},
			})
		}
	}
	return out
}

// listed counts the credentials of a wave.
func listed(wave vault.WaveIndex) int {
	n := 0
	for _, run := range wave.Runs {
		n += run.To - run.From
	}
	return n
}

func openCount(todo []batchTodo) int {
	n := 0
	for _, t := range todo {
		n += len(t.Items)
	}
	return n
}
