module story-exec

go 1.19
