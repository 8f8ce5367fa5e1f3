package judge

import (
	"iter"
	"maps"
	"slices"
)

// set is a set that mostly has one or two members, in as little memory.
type set[T comparable] struct {
	few  []T
	many map[T]bool // all of them, when they are more than few
	were int        // of one that is over, whose members are forgotten
}

const mostFew = 8

func (s *set[T]) has(x T) bool { return s.many[x] || slices.Contains(s.few, x) }

func (s *set[T]) len() int { return max(len(s.few), len(s.many), s.were) }

// forget keeps how many there were.
func (s *set[T]) forget() { *s = set[T]{were: s.len()} }

func (s *set[T]) each() iter.Seq[T] {
	if s.many != nil {
		return maps.Keys(s.many)
	}
	return slices.Values(s.few)
}

func (s *set[T]) add(x T) {
	switch {
	case s.has(x):
	case s.many != nil:
		s.many[x] = true
	case len(s.few) < mostFew:
		s.few = append(s.few, x)
	default:
		s.many = map[T]bool{x: true}
		for _, had := range s.few {
			s.many[had] = true
		}
		s.few = nil
	}
}
