module github.com/nusnewob/kube-changejob/hack/localcluster

go 1.24
