module story-dial

go 1.19
