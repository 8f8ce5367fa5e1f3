package workflows

import (
	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// Sizes of a batch. A wave that continues as new cuts its batches again: a
// build that changes these must not go on with the waves of the one before it.
const (
	DefaultBatch = 100

	largeBatch = 250
	manyOfIt   = 1000
)

// BatchSize is how many credentials of one authority and kind go into one
// dispatch when a wave has n of them: set, which is the campaign file's, or if
// that is 0 the default.
//
// A dispatch costs the engine and the worker about 90 ms of processor time
// whatever its size, which shows where a credential costs 10. Many of such a
// kind (LargeBatches: passwords in an LDAP directory) go in larger batches; a
// domain controller takes 100 ms for each of its own, and there batches stay
// small, because what was done is recorded at the end of each.
func BatchSize(set int, kind credential.Kind, n int) int {
	switch {
	case set > 0:
		return set
	case n >= manyOfIt && kind.Traits().LargeBatches:
		return largeBatch
	}
	return DefaultBatch
}

// batches cuts the runs of a wave into batches; set is the campaign file's size
// of them, or 0. It depends on its arguments alone: a wave that continues as
// new cuts the same.
func batches(roll wire.Roll, wave credential.WaveIndex, set, concurrency int) []wire.Batch {
	type lane struct {
		authority string
		kind      credential.Kind
	}
	of := map[lane]int{}
	for _, run := range wave.Runs {
		of[lane{run.Authority, run.Kind}] += run.To - run.From
	}
	var out []wire.Batch
	for _, run := range wave.Runs {
		size := BatchSize(set, run.Kind, of[lane{run.Authority, run.Kind}])
		for from := run.From; from < run.To; from += size {
			out = append(out, wire.Batch{
				Campaign: roll.Campaign, Snapshot: roll.Snapshot, Again: roll.Again,
				Authority: run.Authority, Kind: run.Kind, Concurrency: concurrency,
				Span: credential.Span{Page: run.Page, From: from, To: min(from+size, run.To)},
			})
		}
	}
	return out
}

// listed counts the credentials of a wave.
func listed(wave credential.WaveIndex) int {
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
