package main

import (
	"fmt"
	"slices"
)

// OtherRatios compare this version with another one that ran beside it: above 1
// this one is quicker. Each is the median of the rounds.
type OtherRatios struct {
	Whole     float64 `json:"whole"`     // time, whole process
	Rotating  float64 `json:"rotating"`  // time, rotation phase
	Listing   float64 `json:"listing"`   // time until the roll is recorded
	Processor float64 `json:"processor"` // time of all processes together
	Memory    float64 `json:"memory"`    // the worker's peak
}

// toOther is nil without another version.
func toOther(rounds []Round) *OtherRatios {
	if rounds[0].Other == nil {
		return nil
	}
	ratio := func(of func(*Campaign) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, of(r.Other)/of(r.Campaign))
		}
		slices.Sort(all)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	return &OtherRatios{
		Whole:     ratio(func(c *Campaign) float64 { return c.Seconds }),
		Rotating:  ratio(func(c *Campaign) float64 { return c.Rotating }),
		Listing:   ratio(func(c *Campaign) float64 { return c.Listing }),
		Processor: ratio(func(c *Campaign) float64 { return c.CPU.all() }),
		Memory:    ratio(func(c *Campaign) float64 { return float64(c.WorkerMemory) }),
	}
}

func (o *OtherRatios) words() string {
	return fmt.Sprintf("campaign / that of the other version: processor time %.2f, rate as a whole %.2f, while rotating %.2f, listing %.2f, peak memory %.2f of it\n",
		1/o.Processor, o.Whole, o.Rotating, o.Listing, 1/o.Memory)
}
