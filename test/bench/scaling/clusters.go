package scaling

// Clusters are those that docs/scaling.md shows: an ordinary one, and the largest that Kubernetes is made for (5,000 Nodes, 150,000
// Pods) with ten thousand ChangeTriggeredJobs, which watch ever more of it. Rates are those of busy clusters; a Node of 5,000
// is updated every ten seconds while it is being scheduled to, and every five minutes where nothing happens.
func Clusters() []Cluster {
	configuration := []Crowd{
		{Kind: "ConfigMaps", Objects: 30_000, KiB: 4, Changes: 20},
		{Kind: "Secrets", Objects: 30_000, KiB: 4, Changes: 2},
		{Kind: "Deployments", Objects: 20_000, KiB: 6, Changes: 100, ManyFields: true},
	}
	nodes := Crowd{Kind: "Nodes", Objects: 5_000, KiB: 16, Changes: 500, ManyFields: true}
	pods := Crowd{Kind: "Pods", Objects: 150_000, KiB: 8, Changes: 1_500, ManyFields: true}
	largest := func(name string, triggers float64, crowds ...Crowd) Cluster {
		return Cluster{
			Name: name, ChangeTriggeredJobs: 10_000, References: 30_000, History: 5,
			Crowds: crowds, Watches: 3 + len(crowds), Triggers: triggers,
		}
	}
	return []Cluster{
		{
			Name: "100 ChangeTriggeredJobs", ChangeTriggeredJobs: 100, References: 300, History: 5,
			Crowds:  []Crowd{{Kind: "ConfigMaps", Objects: 2_000, KiB: 4, Changes: 1}, {Kind: "Deployments", Objects: 500, KiB: 6, Changes: 2, ManyFields: true}},
			Watches: 60, Triggers: 0.1,
		},
		largest("10,000, configuration", 5, configuration...),
		largest("and every Node", 5, append(configuration[:3:3], nodes)...),
		largest("and every Pod", 5, append(configuration[:3:3], nodes, pods)...),
		largest("and 100 triggers a second", 100, append(configuration[:3:3], nodes, pods)...),
	}
}
