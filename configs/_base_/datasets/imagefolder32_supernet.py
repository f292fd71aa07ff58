# One weak view, without the search's held-out images (make_label_split.py writes the list once).
_base_ = ['imagefolder32_linear.py']

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    drop_last=True,
    dataset=dict(without_split='data/label_splits/imagefolder32_heldout.txt'),
)
