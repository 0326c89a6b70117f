package main

import (
	"maps"
	"slices"
)

// channel is one channel's graph of upgrades.
type channel struct {
	Schema  string  `json:"schema"`
	Name    string  `json:"name"`
	Package string  `json:"package"`
	Entries []entry `json:"entries"`
}

// entry is one version in a channel.
type entry struct {
	Name string `json:"name"`
	// Replaces is the version before in the channel.
	Replaces string `json:"replaces,omitempty"`
	// SkipRange says from which versions an upgrade need not stop at those between.
	SkipRange string `json:"skipRange"`
}

// channelsOf returns the channels that the bundles are in, by name. The bundles are in the order of their versions.
func channelsOf(pkg string, bundles []bundle) []channel {
	entries := map[string][]entry{}
	for _, b := range bundles {
		for _, name := range b.channels {
			e := entry{Name: b.name, SkipRange: "<" + b.version.String()}
			if before := entries[name]; len(before) > 0 {
				e.Replaces = before[len(before)-1].Name
			}
			entries[name] = append(entries[name], e)
		}
	}
	var channels []channel
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		channels = append(channels, channel{Schema: "olm.channel", Name: name, Package: pkg, Entries: entries[name]})
	}
	return channels
}
