"""Synthetic speech from written sentences: `training.synthesise` is the way in.

`plan` deals sentences and voices into shards, `processes` hands the shards out, and `production` makes each of them:
`casting` draws who speaks and how, `speaking` runs the engines, `channel` adds what lies between a mouth and a file.
`corpus` is the folder that all of it ends up in.
"""
